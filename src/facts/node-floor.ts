import type { FloorCall } from './floor.ts';

/**
 * What Node itself (V8, libuv, OpenSSL, glibc) may call in any run once a program runs; Node 20 to 26.
 *
 * Derived by scripts/floors/derive-node.mjs (stress programs of test/programs/node-stress under strace; its evidence is
 * scripts/floors/captured/node.json), and under filters that answer ENOSYS to `@fallback`, where glibc and libuv go older ways.
 *
 * Left out on purpose, as the program asks for them and recording shows them: getppid (process.ppid), getrusage (process.cpuUsage),
 * all sockets, and all that changes files. io_uring is in `@fallback`: libuv goes on with epoll and its pool.
 */
export const NODE: readonly FloorCall[] = [
  // memory
  { name: 'mmap', reason: 'heap pages, code, array buffers, stacks of threads (V8, glibc)' },
  { name: 'munmap', reason: 'gives back heap pages, array buffers and stacks' },
  { name: 'mprotect', reason: 'code becomes executable or writable, growth of reserved memory, guard pages' },
  { name: 'madvise', reason: 'collections give memory back, and stacks of threads that ended' },
  { name: 'mremap', reason: 'realloc of a big block (glibc)' },
  { name: 'brk', reason: "malloc's first arena grows and shrinks (glibc)" },
  // threads
  { name: 'clone', reason: 'pool of libuv and workers start with the first use, by clone where clone3 answers ENOSYS' },
  { name: 'set_robust_list', reason: 'each thread registers its robust mutexes (glibc)' },
  { name: 'rseq', reason: 'each thread registers for restartable sequences (glibc)' },
  { name: 'prctl', reason: 'names threads and mappings (libuv, V8)' },
  { name: 'gettid', reason: 'thread names, raise and abort' },
  { name: 'futex', reason: 'locks, sleep and wake-up of threads' },
  { name: 'sched_yield', reason: 'spinning locks of V8 give way' },
  { name: 'sched_getaffinity', reason: 'counts processors: arenas of malloc, size of pools, os.availableParallelism' },
  { name: 'sched_getparam', reason: 'workers of V8 ask for their priority (pthread_getschedparam)', since: 24 },
  { name: 'sched_getscheduler', reason: 'workers of V8 ask for their priority (pthread_getschedparam)', since: 24 },
  { name: 'prlimit64', reason: "the size of a thread's stack (pthread_getattr_np), the limit of open files" },
  { name: 'exit', reason: 'each thread ends by it' },
  // time
  { name: 'clock_gettime', reason: 'time where the vDSO cannot tell it' },
  { name: 'clock_getres', reason: 'libuv asks once whether a coarse clock is fine enough (uv__hrtime)' },
  { name: 'clock_nanosleep', reason: 'pauses of V8 between tries of a lock, and nanosleep' },
  { name: 'restart_syscall', reason: 'the kernel goes on with a sleep that a stop interrupted' },
  // signals
  { name: 'rt_sigaction', reason: 'handlers come and go, and are reset at the end' },
  { name: 'rt_sigprocmask', reason: 'signals are blocked while threads start, poll and end' },
  { name: 'rt_sigreturn', reason: 'returns from every handler, traps of WebAssembly too' },
  { name: 'sigaltstack', reason: 'the stack on which a trap of WebAssembly is handled' },
  { name: 'getpid', reason: 'process.pid, raise and abort' },
  { name: 'tgkill', reason: 'raise and abort; the sampling profiler interrupts by it' },
  // the loop
  { name: 'epoll_create1', reason: 'each worker has a loop of its own' },
  { name: 'epoll_ctl', reason: 'descriptors come and go in the loop' },
  { name: 'epoll_pwait', reason: 'the loop waits for descriptors and timers' },
  { name: 'poll', reason: 'waits until a standard stream takes more, at the end too' },
  { name: 'eventfd2', reason: "wakes a worker's loop" },
  { name: 'pipe2', reason: "signals reach a worker's loop by a pipe; wakes where there is no eventfd" },
  // descriptors, and files that Node itself reads
  {
    name: 'openat',
    reason: 'modules, /proc/meminfo and cgroup limits, openssl.cnf, certificates, time zones, terminals',
  },
  { name: 'read', reason: 'what openat opened, standard input, wake-ups of the loop' },
  { name: 'pread64', reason: 'what openat opened, read at an offset (libuv)' },
  { name: 'lseek', reason: 'stdio and OpenSSL in what openat opened' },
  { name: 'close', reason: 'what was opened' },
  { name: 'fstat', reason: 'what is descriptor 0, 1 or 2, how long is a file' },
  { name: 'newfstatat', reason: 'does a module exist, where statx answers ENOSYS (glibc since 2.33)' },
  { name: 'stat', reason: 'does a module exist, where statx answers ENOSYS (older glibc; musl)' },
  { name: 'lstat', reason: 'is a module a link, where statx answers ENOSYS (older glibc; musl)' },
  { name: 'readlink', reason: 'the real path of modules, /proc/self/exe' },
  { name: 'getcwd', reason: 'paths are resolved; each worker asks again' },
  { name: 'uname', reason: 'what the kernel can: os.release, and how libuv opens streams' },
  { name: 'ioctl', reason: 'is it a terminal, how wide, non-blocking; close-on-exec (libuv)' },
  { name: 'fcntl', reason: 'flags of the standard streams, set back at the end (ResetStdio)' },
  { name: 'dup3', reason: 'a terminal is opened anew and put in place (uv_tty_init)' },
  { name: 'getsockname', reason: 'what kind of socket a standard stream is (uv_guess_handle)' },
  { name: 'getsockopt', reason: 'what kind of socket a standard stream is (uv_guess_handle)' },
  { name: 'shutdown', reason: 'the end of a standard stream that is a socket or pipe' },
  { name: 'write', reason: 'standard streams, last words, wake-ups of the loop' },
  { name: 'writev', reason: 'standard streams, several buffers at once' },
  { name: 'getrandom', reason: 'random numbers of OpenSSL and V8, seeds of hash tables in each worker' },
  // may environment variables be trusted? (SafeGetenv)
  { name: 'getuid', reason: 'NODE_* is trusted only without set-user-id; each worker asks' },
  { name: 'geteuid', reason: 'NODE_* is trusted only without set-user-id; each worker asks' },
  { name: 'getgid', reason: 'NODE_* is trusted only without set-group-id; each worker asks' },
  { name: 'getegid', reason: 'NODE_* is trusted only without set-group-id; each worker asks' },
  { name: 'capget', reason: 'NODE_* is trusted only without capabilities; each worker asks' },
  // the end
  { name: 'exit_group', reason: 'the end of every process: the loop is empty, process.exit, abort, fatal error' },
];
