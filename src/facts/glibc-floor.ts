import type { FloorCall } from './floor.ts';

/** What glibc's threads and memory add in cgo programs; taken together with `go`. Seen with glibc 2.36, read for 2.31 to 2.41. */
export const GLIBC_THREADS: readonly FloorCall[] = [
  { name: 'clone', reason: 'pthread_create, where clone3 answers ENOSYS (__clone_internal)' },
  { name: 'mmap', reason: 'thread stacks and malloc arenas (allocate_stack, new_heap)' },
  {
    name: 'munmap',
    reason: 'thread stacks beyond the cache, big blocks and empty arenas (__nptl_free_stacks, munmap_chunk)',
  },
  { name: 'mprotect', reason: 'guard pages of stacks, growth of malloc arenas (setup_stack_prot, grow_heap)' },
  { name: 'mremap', reason: 'realloc of a big block (mremap_chunk)' },
  {
    name: 'madvise',
    reason: 'the stack of a thread that ended, and shrunken arenas (advise_stack_range, shrink_heap)',
  },
  { name: 'brk', reason: "malloc's first arena grows and shrinks (sbrk)" },
  { name: 'set_robust_list', reason: 'each thread registers its robust mutexes (start_thread)' },
  { name: 'rseq', reason: 'each thread registers for restartable sequences (start_thread)' },
  {
    name: 'rt_sigprocmask',
    reason: 'signals are blocked while a thread starts and ends (pthread_create, start_thread)',
  },
  { name: 'rt_sigaction', reason: 'the handlers for cancellation and set*id, and abort (pthread_create, abort)' },
  { name: 'rt_sigreturn', reason: 'returns from those handlers' },
  { name: 'futex', reason: 'mutexes, condition variables, pthread_join' },
  { name: 'exit', reason: 'each thread ends by it (start_thread)' },
  { name: 'exit_group', reason: 'the process ends by exit, or by abort at last' },
  { name: 'sched_getaffinity', reason: 'pthread_getattr_np, and the number of arenas (arena_get2)' },
  { name: 'prlimit64', reason: "the main thread's stack size (pthread_getattr_np)" },
  {
    name: 'newfstatat',
    reason: 'stdio and dlopen ask what they opened: /proc/self/maps, libgcc_s at pthread_exit (fopen, _dl_map_object)',
  },
  { name: 'gettid', reason: 'raise and abort' },
  { name: 'getpid', reason: 'pthread_kill, raise and abort' },
  { name: 'tgkill', reason: 'pthread_kill, raise and abort; Go preempts by it' },
  {
    name: 'clock_nanosleep',
    reason: 'nanosleep: runtime/cgo waits before it tries pthread_create again (_cgo_try_pthread_create)',
  },
  { name: 'getrandom', reason: "malloc's tcache key at the first malloc (tcache_key_initialize)" },
  { name: 'writev', reason: 'last words of a damaged heap or smashed stack (__libc_message)' },
  { name: 'write', reason: "runtime/cgo's and stdio's messages before abort" },
  { name: 'restart_syscall', reason: 'the kernel goes on with a sleep that a stop interrupted' },
];

/** Of `GLIBC_THREADS`, what only runtime/cgo asks for, or says otherwise. */
const CGO_ONLY = ['clock_nanosleep', 'write'];

/**
 * What glibc may call in any run of a C or C++ program: threads, malloc, stdio, locales, the ways to end. Seen with glibc 2.36, dynamic and static
 * (test/programs/libc-stress, scripts/floors/captured/runtimes.json), also where clone3, statx and the like answer ENOSYS.
 *
 * What every run makes before main (set_tid_address, arch_prctl, readlink of a static program) is left out: any recording shows it.
 */
export const GLIBC: readonly FloorCall[] = [
  ...GLIBC_THREADS.filter(({ name }) => !CGO_ONLY.includes(name)),
  { name: 'sched_yield', reason: 'spinning locks give way (pthread_yield, malloc_trim of old versions)' },
  { name: 'clock_gettime', reason: 'time where the vDSO cannot tell it, and processor time clocks always' },
  // stdio
  { name: 'write', reason: 'stdio flushes, at exit too; messages of abort and assert (new_do_write, _IO_cleanup)' },
  { name: 'lseek', reason: 'stdio gives back what it read too much of a file (_IO_cleanup), and asks for positions' },
  { name: 'fstat', reason: 'the kind and block size of a stream, before glibc 2.33 (_IO_file_doallocate)' },
  { name: 'ioctl', reason: 'is a stream a terminal? TCGETS (isatty, _IO_file_doallocate)' },
  // what it reads of its own accord
  {
    name: 'openat',
    reason: 'locales, time zone, messages, gconv, libgcc_s, /proc/self/maps, processors (_nl_load_locale)',
  },
  { name: 'read', reason: 'the same files (__tzfile_read, _dl_map_object, __get_nprocs)' },
  { name: 'pread64', reason: 'program headers of a library that is loaded late (open_verify)' },
  { name: 'close', reason: 'closes these files again' },
];
