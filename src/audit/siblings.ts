/**
 * Calls by which the same thing can be done: who refuses one must refuse the others. Hand-kept; each line names the man pages that say so.
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
  readonly source: string;
}

function family(effect: string, calls: string, source: string, more: { part?: string; also?: string } = {}): Family {
  return {
    effect,
    calls: calls.split(' '),
    ...(more.part && { part: more.part.split(' ') }),
    ...(more.also && { also: more.also.split(' ') }),
    source,
  };
}

/** Every family; a call may be in several. */
export const FAMILIES: readonly Family[] = [
  family('open files', 'open openat openat2 creat', 'open(2), openat2(2), open_by_handle_at(2)', {
    also: 'open_by_handle_at',
  }),
  family('execute programs', 'execve execveat', 'execve(2), execveat(2)'),
  family('make processes', 'clone clone3', 'clone(2)', { part: 'fork vfork' }),
  family('make processes', 'fork vfork', 'fork(2), vfork(2)', { also: 'clone clone3' }),
  family('make namespaces', 'unshare', 'unshare(2), clone(2)', { also: 'clone clone3' }),
  family('make directories', 'mkdirat', 'mkdir(2)', { part: 'mkdir' }),
  family('make directories', 'mkdir', 'mkdir(2)', { also: 'mkdirat' }),
  family('remove names', 'unlinkat', 'unlink(2)', { part: 'unlink' }),
  family('remove names', 'unlink', 'unlink(2)', { also: 'unlinkat' }),
  family('remove directories', 'rmdir', 'rmdir(2), unlink(2) AT_REMOVEDIR', { also: 'unlinkat' }),
  family('rename', 'renameat2', 'rename(2)', { part: 'rename renameat' }),
  family('rename', 'rename renameat', 'rename(2)', { also: 'renameat2' }),
  family('make hard links', 'linkat', 'link(2)', { part: 'link' }),
  family('make hard links', 'link', 'link(2)', { also: 'linkat' }),
  family('make symbolic links', 'symlink symlinkat', 'symlink(2)'),
  family('make device nodes', 'mknod mknodat', 'mknod(2)'),
  family('change permission bits', 'chmod fchmod fchmodat fchmodat2', 'chmod(2), fchmodat(2)'),
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
  family('take connections', 'accept accept4', 'accept(2), socketcall(2)', { also: 'socketcall' }),
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

/** Endings of calls that do the same with wider values on 32-bit ABIs. Source: syscalls(2), include/uapi/asm-generic/unistd.h. */
export const WIDE_ENDINGS: readonly string[] = ['_time64', '64', '32'];
