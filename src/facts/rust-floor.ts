import type { FloorCall } from './floor.ts';

/**
 * What Rust's standard library may call in any run, besides its C library: threads, panics with their backtraces, maps. Seen with Rust 1.95
 * (test/programs/rust-stress, scripts/floors/captured/runtimes.json).
 */
export const RUST: readonly FloorCall[] = [
  // threads
  { name: 'prctl', reason: 'names a thread: PR_SET_NAME (Thread::set_name)' },
  {
    name: 'sigaltstack',
    reason: 'the stack on which an overflow is found out, for each thread (stack_overflow::Handler)',
  },
  { name: 'mmap', reason: 'that stack, and files that a backtrace looks into (gimli::mmap)' },
  { name: 'munmap', reason: 'gives them back' },
  { name: 'mprotect', reason: "that stack's guard page (stack_overflow::make_handler)" },
  {
    name: 'rt_sigaction',
    reason: 'resets SIGSEGV so that an overflow ends the program (stack_overflow::signal_handler)',
  },
  { name: 'rt_sigreturn', reason: 'returns from that handler' },
  {
    name: 'sched_getaffinity',
    reason: 'counts processors, and where the stack is (available_parallelism, pthread_getattr_np)',
  },
  { name: 'sched_yield', reason: 'spinning channels and locks give way (thread::yield_now)' },
  { name: 'gettid', reason: 'the id of the thread, for its name and for panics' },
  { name: 'futex', reason: 'locks, parking, joins' },
  { name: 'clock_gettime', reason: 'Instant and SystemTime where the vDSO cannot tell them' },
  { name: 'getrandom', reason: 'keys of the first HashMap of a thread (hashmap_random_keys)' },
  // panics
  { name: 'write', reason: 'the message of a panic (io::Write for stderr)' },
  { name: 'getcwd', reason: 'shortens paths in a backtrace (_print_fmt)' },
  { name: 'openat', reason: 'the executable and its debug files for a backtrace; cgroup limits of processors' },
  { name: 'newfstatat', reason: 'the sizes of these files where statx answers ENOSYS' },
  { name: 'read', reason: 'their content, and /proc/self/maps' },
  { name: 'readlink', reason: 'the path of the executable, /proc/self/exe (current_exe)' },
  { name: 'lseek', reason: 'how much of a file is left (File::read_to_end)' },
  { name: 'close', reason: 'closes these files again' },
  // the end
  { name: 'exit_group', reason: 'the end of every program' },
];
