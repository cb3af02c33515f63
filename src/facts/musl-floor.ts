import type { FloorCall } from './floor.ts';

/**
 * What musl may call in any run: threads, malloc, stdio, locales, the ways to end. Seen with musl 1.2.3, dynamic and static
 * (test/programs/libc-stress, scripts/floors/captured/runtimes.json). membarrier is in `@fallback`: musl signals its threads instead.
 */
export const MUSL: readonly FloorCall[] = [
  // memory
  { name: 'brk', reason: 'the heap grows (mallocng, alloc_group)' },
  { name: 'mmap', reason: 'groups and big blocks of the heap, stacks of threads (mallocng, pthread_create)' },
  { name: 'munmap', reason: 'gives them back (mallocng, __unmapself)' },
  { name: 'mremap', reason: 'realloc of a big block (mallocng)' },
  { name: 'mprotect', reason: 'guard pages of stacks, and of the heap (pthread_create, alloc_group)' },
  { name: 'madvise', reason: 'free pages inside a group of the heap (mallocng, free_group)' },
  // threads
  { name: 'clone', reason: 'starts a thread (pthread_create)' },
  { name: 'futex', reason: 'mutexes, condition variables, pthread_join' },
  { name: 'exit', reason: 'each thread ends by it (pthread_exit, __unmapself)' },
  { name: 'set_robust_list', reason: 'a thread that uses robust mutexes registers them' },
  { name: 'gettid', reason: 'a thread asks for its id after fork, raise' },
  { name: 'tkill', reason: 'raise, abort, pthread_kill, and the signal to all threads (__synccall)' },
  { name: 'sched_yield', reason: 'spinning locks give way (__wait)' },
  // signals
  { name: 'rt_sigprocmask', reason: 'signals are blocked while a thread starts and ends, and in raise' },
  { name: 'rt_sigaction', reason: 'abort, pthread_cancel and __synccall set handlers' },
  { name: 'rt_sigreturn', reason: 'returns from every handler' },
  { name: 'restart_syscall', reason: 'the kernel goes on with a sleep that a stop interrupted' },
  { name: 'clock_gettime', reason: 'time where the vDSO cannot tell it, and processor time clocks always' },
  // stdio and files of its own
  { name: 'writev', reason: 'stdio flushes, at exit too; messages of assert (__stdio_write)' },
  { name: 'lseek', reason: 'stdio gives back what it read too much of a file (__stdio_exit)' },
  { name: 'ioctl', reason: 'is a stream a terminal? TIOCGWINSZ (__stdout_write)' },
  { name: 'open', reason: 'locales and the time zone (__map_file)' },
  { name: 'fstat', reason: 'the size of what it maps (__map_file)' },
  { name: 'close', reason: 'closes these files again' },
  // the end
  { name: 'exit_group', reason: 'the end of every program (_Exit)' },
];
