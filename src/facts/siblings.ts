/**
 * Calls by which the same thing can be done: who refuses one must refuse the others, and who permits one may see another in the next run.
 * Hand-kept; each line names the man pages that say so.
 */
export interface Family {
  /** What can be done by them: an infinitive. */
  readonly effect: string;
  /** Each can do all that the others can. */
  readonly calls: readonly string[];
  /** Calls that do a part of it: open beside a call that is only narrowed by its arguments, they open nothing. */
  readonly part?: readonly string[];
  /** Calls that do it beside other things; refusing them is no wish to refuse this. */
  readonly also?: readonly string[];
  /** Those among which C libraries and runtimes choose for one function of theirs, by version, kernel and arguments. */
  readonly choice?: readonly string[];
  readonly source: string;
}

type More = { readonly [K in 'part' | 'also' | 'choice']?: string };

function family(effect: string, calls: string, source: string, more: More = {}): Family {
  return {
    effect,
    calls: calls.split(' '),
    ...(more.part && { part: more.part.split(' ') }),
    ...(more.also && { also: more.also.split(' ') }),
    ...(more.choice && { choice: more.choice.split(' ') }),
    source,
  };
}

/** Every family of calls that could be refused for what they do; a call may be in several. */
export const FAMILIES: readonly Family[] = [
  family('open files', 'open openat openat2 creat', 'open(2), openat2(2), open_by_handle_at(2)', {
    also: 'open_by_handle_at',
    choice: 'open openat openat2',
  }),
  family('execute programs', 'execve execveat', 'execve(2), execveat(2)'),
  family('make processes', 'clone clone3', 'clone(2)', { part: 'fork vfork' }),
  family('make processes', 'fork vfork', 'fork(2), vfork(2)', { also: 'clone clone3' }),
  family('make namespaces', 'unshare', 'unshare(2), clone(2)', { also: 'clone clone3' }),
  family('make directories', 'mkdirat', 'mkdir(2)', { part: 'mkdir', choice: 'mkdir mkdirat' }),
  family('make directories', 'mkdir', 'mkdir(2)', { also: 'mkdirat' }),
  family('remove names', 'unlinkat', 'unlink(2)', { part: 'unlink', choice: 'unlink unlinkat' }),
  family('remove names', 'unlink', 'unlink(2)', { also: 'unlinkat' }),
  family('remove directories', 'rmdir', 'rmdir(2), unlink(2) AT_REMOVEDIR', {
    also: 'unlinkat',
    choice: 'rmdir unlinkat',
  }),
  family('rename', 'renameat2', 'rename(2)', { part: 'rename renameat', choice: 'rename renameat renameat2' }),
  family('rename', 'rename renameat', 'rename(2)', { also: 'renameat2' }),
  family('make hard links', 'linkat', 'link(2)', { part: 'link', choice: 'link linkat' }),
  family('make hard links', 'link', 'link(2)', { also: 'linkat' }),
  family('make symbolic links', 'symlink symlinkat', 'symlink(2)', { choice: 'symlink symlinkat' }),
  family('make device nodes', 'mknod mknodat', 'mknod(2)'),
  family('change permission bits', 'chmod fchmod fchmodat fchmodat2', 'chmod(2), fchmodat(2)', {
    choice: 'chmod fchmodat fchmodat2',
  }),
  family('change owners', 'chown lchown fchown fchownat chown32 lchown32 fchown32', 'chown(2)'),
  family('change times', 'utime utimes futimesat utimensat utimensat_time64', 'utime(2), utimensat(2)'),
  family('cut files', 'truncate ftruncate truncate64 ftruncate64', 'truncate(2)'),
  family('set attributes', 'setxattr lsetxattr fsetxattr setxattrat', 'setxattr(2), fs/xattr.c'),
  family('remove attributes', 'removexattr lremovexattr fremovexattr removexattrat', 'removexattr(2), fs/xattr.c'),
  family('read descriptors', 'read readv pread64 preadv preadv2', 'read(2), readv(2), pread(2)'),
  family('write descriptors', 'write writev pwrite64 pwritev pwritev2', 'write(2), readv(2), pread(2)'),
  family('make sockets', 'socket', 'socket(2), socketcall(2)', { also: 'socketcall' }),
  family('connect', 'connect', 'connect(2), socketcall(2)', { also: 'socketcall' }),
  family('bind sockets', 'bind', 'bind(2), socketcall(2)', { also: 'socketcall' }),
  family('take connections', 'accept accept4', 'accept(2), socketcall(2)', {
    also: 'socketcall',
    choice: 'accept accept4',
  }),
  family('send', 'sendto sendmsg sendmmsg send', 'send(2), sendmmsg(2)', { also: 'socketcall' }),
  family('receive', 'recvfrom recvmsg recvmmsg recvmmsg_time64 recv', 'recv(2), recvmmsg(2)', { also: 'socketcall' }),
  family('make shared memory', 'shmget', 'shmget(2), ipc(2)', { also: 'ipc' }),
  family('make semaphores', 'semget', 'semget(2), ipc(2)', { also: 'ipc' }),
  family('make message queues', 'msgget', 'msgget(2), ipc(2)', { also: 'ipc' }),
  family(
    'send signals',
    'kill tkill tgkill rt_sigqueueinfo rt_tgsigqueueinfo pidfd_send_signal',
    'kill(2), tkill(2), rt_sigqueueinfo(2), pidfd_send_signal(2)',
  ),
  family('reach into other processes', 'ptrace', 'ptrace(2), process_vm_readv(2), pidfd_getfd(2)', {
    part: 'process_vm_readv process_vm_writev pidfd_getfd',
  }),
  family("read another process's memory", 'process_vm_readv', 'process_vm_readv(2), ptrace(2)', { also: 'ptrace' }),
  family("write another process's memory", 'process_vm_writev', 'process_vm_readv(2), ptrace(2)', { also: 'ptrace' }),
  family('mount', 'mount move_mount', 'mount(2), move_mount(2)'),
  family('unmount', 'umount umount2', 'umount(2)'),
  family('load modules', 'init_module finit_module', 'init_module(2)'),
  family('load another kernel', 'kexec_load kexec_file_load', 'kexec_load(2)'),
  family('make memory executable', 'mprotect pkey_mprotect', 'mprotect(2)'),
  family('set limits', 'setrlimit prlimit64', 'getrlimit(2)'),
  family(
    'set the clock',
    'clock_settime settimeofday clock_settime64 stime',
    'clock_getres(2), settimeofday(2), stime(2)',
  ),
  family('adjust the clock', 'adjtimex clock_adjtime clock_adjtime64', 'adjtimex(2)'),
];

/** More of them, which nobody would refuse for what they do. */
const HARMLESS: readonly Family[] = [
  family('start processes', 'fork vfork clone clone3', 'fork(2), vfork(2), clone(2), posix_spawn(3)'),
  family('read metadata', 'stat lstat newfstatat fstatat64 statx stat64 lstat64', 'stat(2), statx(2)'),
  family('read metadata of descriptors', 'fstat newfstatat statx fstat64 fstatat64', 'stat(2), statx(2)'),
  family('ask for access', 'access faccessat faccessat2', 'access(2)'),
  family('read symbolic links', 'readlink readlinkat', 'readlink(2)'),
  family('list folders', 'getdents getdents64', 'getdents(2)'),
  family('ask for file systems', 'statfs statfs64', 'statfs(2)'),
  family('wait for descriptors', 'poll ppoll ppoll_time64', 'poll(2)'),
  family('wait for sets of descriptors', 'select pselect6 pselect6_time64 _newselect', 'select(2)'),
  family('wait for epoll', 'epoll_wait epoll_pwait epoll_pwait2', 'epoll_wait(2)'),
  family('make epoll descriptors', 'epoll_create epoll_create1', 'epoll_create(2)'),
  family('make pipes', 'pipe pipe2', 'pipe(2)'),
  family('copy descriptors to a number', 'dup2 dup3', 'dup(2)'),
  family('make event descriptors', 'eventfd eventfd2', 'eventfd(2)'),
  family('make signal descriptors', 'signalfd signalfd4', 'signalfd(2)'),
  family('watch files', 'inotify_init inotify_init1', 'inotify_init(2)'),
  family('sleep', 'nanosleep clock_nanosleep clock_nanosleep_time64', 'nanosleep(2), clock_nanosleep(2)'),
  family('wait for children', 'wait4 waitid', 'wait4(2), waitid(2)'),
  family('ask for limits', 'getrlimit prlimit64', 'getrlimit(2)'),
  family('set limits', 'setrlimit prlimit64', 'getrlimit(2)'),
  family('read at an offset', 'preadv preadv2', 'readv(2)'),
  family('write at an offset', 'pwritev pwritev2', 'readv(2)'),
  family('copy between files', 'copy_file_range sendfile', 'copy_file_range(2), sendfile(2)'),
  family('send', 'sendto send', 'send(2)'),
  family('receive', 'recvfrom recv', 'recv(2)'),
  family('take memory', 'mmap brk', 'malloc(3), brk(2)'),
];

/** Calls of which one may stand for another in a run on another day, machine or version of the C library. */
export const CHOICES: readonly Pick<Family, 'effect' | 'calls' | 'source'>[] = [
  ...FAMILIES.flatMap(({ effect, choice, source }) => (choice ? [{ effect, calls: choice, source }] : [])),
  ...HARMLESS,
];

/**
 * Calls that the vDSO spares: they reach the kernel, and so a filter or a recorder, only where it cannot answer, as with another clock source
 * (vdso(7); Documentation/userspace-api/seccomp_filter.rst, Caveats). No recording shows whether a program makes them.
 */
export const VDSO_CALLS: readonly string[] = ['clock_gettime', 'getcpu', 'gettimeofday', 'time'];

/** Endings of calls that do the same with wider values on 32-bit ABIs. Source: syscalls(2), include/uapi/asm-generic/unistd.h. */
export const WIDE_ENDINGS: readonly string[] = ['_time64', '64', '32'];
