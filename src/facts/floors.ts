import type { FloorCall } from './floor.ts';
import { GLIBC, GLIBC_THREADS } from './glibc-floor.ts';
import { JAVA } from './java-floor.ts';
import { MUSL } from './musl-floor.ts';
import { NODE } from './node-floor.ts';
import { PYTHON } from './python-floor.ts';
import { RUST } from './rust-floor.ts';

export type { FloorCall } from './floor.ts';

/**
 * Floors: what a runtime may call in any run after the program's entry, whatever one recorded run showed. Names only, with a
 * reason each, so that a reviewer can judge them. Names are x86_64's; one that another ABI lacks is skipped there.
 *
 * Derived by scripts/floors/derive.mjs (stress programs of test/programs/go-stress under strace, every Go from 1.19 to 1.26; its
 * evidence is scripts/floors/captured/go.json), and by reading each version's runtime for calls too rare to be seen.
 *
 * Left out on purpose, as no run needs them unless the program asks, and then recording shows them:
 * - profiling: setitimer, timer_create, timer_settime, timer_delete (runtime/pprof);
 * - kill: only passes SIGQUIT on between threads under GOTRACEBACK=crash (runtime.raiseproc); refused, the program still ends;
 * - mprotect in pure Go: only GODEBUG=efence=1 and experimental arenas (runtime.sysFaultOS);
 * - mincore: only where the kernel hands over no auxiliary vector (runtime.sysargs); brk: only 32-bit (runtime.mallocinit);
 * - faccessat, socket, connect: only Android; epoll_create, pipe: only kernels before 2.6.27.
 */

/** Go's runtime and what package os starts with, Go 1.19 to 1.26, without cgo. Functions are package runtime's where no other is named. */
const GO: readonly FloorCall[] = [
  // memory
  { name: 'mmap', reason: 'heap, stacks and metadata grow at any time (sysReserveOS, sysMapOS, sysAllocOS)' },
  {
    name: 'munmap',
    reason: 'gives back what a reservation got elsewhere than asked, or too much (mheap.sysAlloc, sysReserveAligned)',
  },
  { name: 'madvise', reason: 'the scavenger gives memory back, huge pages are set (sysUnusedOS, sysHugePageOS)' },
  { name: 'prctl', reason: 'names mappings in /proc/PID/maps by PR_SET_VMA (setVMAName)', since: 25 },
  // threads
  { name: 'clone', reason: 'starts a thread when goroutines wait in calls or a processor is free (newosproc)' },
  { name: 'exit', reason: 'ends a thread whose locked goroutine returned (mexit, exitThread)' },
  { name: 'arch_prctl', reason: 'sets the FS register of the first thread (rt0_go, settls)' },
  { name: 'gettid', reason: 'each thread asks for its id (minit; the start of clone; raise)' },
  {
    name: 'sigaltstack',
    reason: 'each thread sets its signal stack, and drops it at its end (minitSignalStack, unminit)',
  },
  {
    name: 'rt_sigprocmask',
    reason: 'signals are blocked while a thread is made or ends (newosproc, mexit, minitSignalMask)',
  },
  { name: 'futex', reason: 'locks, sleep and wake-up of threads (futexsleep, futexwakeup)' },
  { name: 'sched_yield', reason: 'spinning locks and the collector give way (osyield)' },
  {
    name: 'sched_getaffinity',
    reason: 'counts processors at start, since 1.25 again about once a second (getCPUCount, sysmonUpdateGOMAXPROCS)',
  },
  // time
  { name: 'nanosleep', reason: "sysmon's pauses and short waits (usleep)" },
  {
    name: 'clock_gettime',
    reason: 'time where the vDSO cannot tell it: no vDSO, or a clock source without user access (nanotime1, walltime)',
  },
  {
    name: 'restart_syscall',
    reason: 'the kernel goes on with a sleep that SIGSTOP and SIGCONT or a tracer interrupted',
  },
  // signals
  {
    name: 'rt_sigaction',
    reason: 'installs, asks and resets handlers, before dying too (initsig, setsig, dieFromSignal)',
  },
  {
    name: 'rt_sigreturn',
    reason: 'returns from every handler, SIGURG of preemption first of all (sigreturn__sigaction)',
  },
  {
    name: 'tgkill',
    reason: 'preempts a busy thread by SIGURG, and raises the fatal signal (preemptM, signalM, raise)',
  },
  { name: 'getpid', reason: 'first argument of tgkill (signalM, raise)' },
  // poller
  { name: 'epoll_create1', reason: 'the poller starts with the first timer, pipe or socket (netpollinit)' },
  { name: 'epoll_ctl', reason: 'descriptors come and go in the poller (netpollopen, netpollclose)' },
  { name: 'epoll_pwait', reason: 'an idle thread waits for descriptors and timers (netpoll)' },
  { name: 'eventfd2', reason: 'wakes the poller (netpollinit)', since: 23 },
  { name: 'pipe2', reason: 'wakes the poller before it used eventfd2 (netpollinit, nonblockingPipe)', until: 22 },
  // files
  {
    name: 'openat',
    reason:
      'huge page size, cgroup limits, /dev/null for a closed standard descriptor (getHugePageSize, cgroup.OpenCPU, checkfds)',
  },
  { name: 'read', reason: 'what openat opened, and the wake-up of the poller (getHugePageSize, netpoll)' },
  {
    name: 'pread64',
    reason: 'the CPU limit of the cgroup, again about once a second (cgroup.ReadCPULimit)',
    since: 25,
  },
  { name: 'close', reason: 'what openat opened (closefd)' },
  { name: 'fcntl', reason: 'are the standard descriptors open and non-blocking? (checkfds, os.NewFile)' },
  { name: 'write', reason: 'panic messages, tracebacks, print, and the wake-up of the poller (write1, netpollBreak)' },
  { name: 'getrlimit', reason: 'the limit of open files at start (init of os, later of syscall)', until: 23 },
  {
    name: 'setrlimit',
    reason: 'raises the soft limit of open files where it is below the hard one (init of os, later of syscall)',
    until: 23,
  },
  { name: 'prlimit64', reason: 'asks and raises the limit of open files (init of syscall)', since: 24 },
  {
    name: 'getrandom',
    reason: 'the vDSO generator takes its key from the kernel, and again when the kernel reseeds (vgetrandom)',
    since: 24,
  },
  // the end
  { name: 'exit_group', reason: 'the end of every program: main returns, os.Exit, panic, fatal error (exit)' },
];

/**
 * Calls whose callers do without when the answer is ENOSYS ("this kernel has it not"), but often not when it is EPERM. Policies
 * answer ENOSYS here, so that a new libc on an old policy goes the older way instead of failing.
 */
const FALLBACK: readonly FloorCall[] = [
  { name: 'clone3', reason: 'glibc and posix_spawn take clone; its flags are in memory, which no filter sees' },
  { name: 'openat2', reason: 'systemd, runc and libraries resolve paths step by step with openat' },
  { name: 'faccessat2', reason: 'glibc, musl and Go emulate its flags with faccessat and newfstatat' },
  { name: 'fchmodat2', reason: 'glibc, musl and Go go by /proc/self/fd or report that flags are unsupported' },
  { name: 'statx', reason: 'glibc, libuv and Rust take newfstatat' },
  { name: 'renameat2', reason: 'glibc takes renameat without flags; coreutils test and rename' },
  { name: 'preadv2', reason: 'glibc takes preadv where no flags are given' },
  { name: 'pwritev2', reason: 'glibc takes pwritev where no flags are given' },
  { name: 'copy_file_range', reason: 'Go, Rust, libuv and coreutils take sendfile or read and write' },
  { name: 'close_range', reason: 'closefrom, Python and systemd go through /proc/self/fd' },
  { name: 'pidfd_open', reason: 'Go since 1.23 (os.checkPidfd), Rust, Python and libuv use the process id' },
  { name: 'pidfd_send_signal', reason: 'Go since 1.23 (os.checkPidfd) and systemd take kill' },
  { name: 'pidfd_getfd', reason: 'a probe of debuggers and container tools; they do without' },
  { name: 'epoll_pwait2', reason: 'glibc, libevent and libuv take epoll_pwait with milliseconds' },
  { name: 'io_uring_setup', reason: 'libuv, tokio-uring and databases take epoll and thread pools' },
  { name: 'io_uring_enter', reason: 'of no use without io_uring_setup' },
  { name: 'io_uring_register', reason: 'of no use without io_uring_setup' },
  { name: 'futex_waitv', reason: 'Wine and game runtimes wait on one futex at a time' },
  { name: 'membarrier', reason: 'liburcu, .NET and the JVM take fences or signals' },
  { name: 'cachestat', reason: 'a probe of the page cache; mincore or nothing instead' },
  { name: 'mseal', reason: 'the dynamic loader of new glibc leaves its pages unsealed' },
  { name: 'map_shadow_stack', reason: 'glibc runs the thread without a shadow stack' },
  { name: 'landlock_create_ruleset', reason: 'the probe of Landlock: programs run without it' },
  { name: 'process_madvise', reason: 'memory managers leave it' },
  { name: 'mlock2', reason: 'glibc takes mlock where no flags are given' },
];

/** Floors by name, without the `@` of policies. A call that a floor allows is never in `fallback`. */
export const FLOORS: Readonly<
  Record<
    'go' | 'glibc-threads' | 'glibc' | 'musl' | 'rust' | 'python' | 'node' | 'java' | 'fallback',
    readonly FloorCall[]
  >
> &
  Readonly<Record<string, readonly FloorCall[]>> = {
  go: GO,
  'glibc-threads': GLIBC_THREADS,
  glibc: GLIBC,
  musl: MUSL,
  rust: RUST,
  python: PYTHON,
  node: NODE,
  java: JAVA,
  fallback: FALLBACK,
};

/** Minor versions of Go that `FLOORS.go` was derived from. */
export const GO_OLDEST = 19;
export const GO_NEWEST = 26;

/**
 * The floor of one Go version.
 *
 * @param version - as `detectGo` tells it (`go1.26.8`). Older than 1.19 is taken as 1.19, newer than 1.26 as 1.26; without a
 *   readable number (`devel`) it is the floor of all versions together
 */
export function goFloor(version: string): readonly FloorCall[] {
  const match = /go1\.(\d+)/.exec(version);
  if (match === null) return GO;
  const minor = Math.min(Math.max(Number(match[1]), GO_OLDEST), GO_NEWEST);
  return GO.filter((call) => minor >= (call.since ?? 0) && minor <= (call.until ?? Number.POSITIVE_INFINITY));
}
