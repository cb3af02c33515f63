import type { FloorCall } from './floor.ts';

/**
 * What the Java virtual machine (HotSpot) and its launcher may call in any run, besides glibc: collectors, compilers, threads, classes that
 * are loaded late, signals, the ways to end. Seen with Debian's OpenJDK 17 and Temurin 25 (test/programs/java-stress, scripts/floors/captured/runtimes.json) under
 * each of its collectors: which one it takes depends on the processors and the memory that it finds.
 *
 * Left out on purpose:
 * - mkdir and unlink of /tmp/hsperfdata_USER/PID: recording shows them where that file is wanted, and the machine goes on where they are refused;
 * - kill: only asks whether the process of a file left there is alive; refused, the file is taken for a dead one's unless its lock is held
 *   (cleanup_sharedmem_files);
 * - sockets: the program asks for them (java.net), and so does who attaches to the process (jcmd, jstack).
 */
export const JAVA: readonly FloorCall[] = [
  // memory
  { name: 'mmap', reason: 'heap, metaspace, code cache, stacks, jars (os::reserve_memory, os::commit_memory)' },
  { name: 'munmap', reason: 'gives back what collectors and class loaders no longer need (os::release_memory)' },
  { name: 'mprotect', reason: 'guard pages of stacks, the safepoint page, code (os::guard_memory)' },
  { name: 'madvise', reason: 'the heap gives memory back and asks for huge pages (os::pd_realign_memory)' },
  { name: 'mremap', reason: 'realloc of a big block (glibc)' },
  { name: 'memfd_create', reason: "ZGC's heap is a file in memory (ZPhysicalMemoryBacking)" },
  { name: 'fallocate', reason: 'ZGC grows and shrinks that file (ZPhysicalMemoryBacking::fallocate)' },
  { name: 'fstatfs', reason: 'ZGC asks on which file system that file is (ZPhysicalMemoryBacking)' },
  { name: 'get_mempolicy', reason: 'libnuma asks whether there is NUMA, for ZGC and Shenandoah (numa_available)' },
  {
    name: 'set_mempolicy',
    reason: 'libnuma sets the default policy, for ZGC and Shenandoah (os::Linux::libnuma_init)',
  },
  { name: 'sysinfo', reason: 'free and total memory, again and again (os::available_memory)' },
  // threads
  {
    name: 'clone',
    reason: 'compilers, collectors and threads of Java come and go, by clone where clone3 answers ENOSYS',
  },
  { name: 'set_robust_list', reason: 'each thread registers its robust mutexes (glibc)' },
  { name: 'rseq', reason: 'each thread registers for restartable sequences (glibc)' },
  { name: 'prctl', reason: 'names threads (os::set_native_thread_name)' },
  { name: 'gettid', reason: 'the id of each thread (os::Linux::gettid)' },
  { name: 'sched_getaffinity', reason: 'counts processors, again and again (os::active_processor_count)' },
  { name: 'sched_yield', reason: 'Thread.yield, and spinning locks and safepoints give way (os::naked_yield)' },
  { name: 'futex', reason: 'locks, park and sleep, and the semaphore of signals (PlatformMonitor, Parker)' },
  { name: 'prlimit64', reason: "the main thread's stack, the limit of open files (os::init_2)" },
  { name: 'exit', reason: 'each thread ends by it' },
  // time
  {
    name: 'clock_gettime',
    reason: 'time where the vDSO cannot tell it, and processor time of threads (os::thread_cpu_time)',
  },
  { name: 'clock_nanosleep', reason: 'short waits of the machine itself (os::naked_short_sleep)' },
  { name: 'getrusage', reason: 'processor time of a collection for its log and counters (os::getTimesSecs)' },
  { name: 'times', reason: 'the same, for Shenandoah in later versions (os::getTimesSecs)' },
  { name: 'restart_syscall', reason: 'the kernel goes on with a sleep that a stop interrupted' },
  // signals
  {
    name: 'rt_sigaction',
    reason: 'handlers are set at start and by sun.misc.Signal, and asked for by checks (os::signal)',
  },
  {
    name: 'rt_sigprocmask',
    reason: 'signals are blocked while a thread starts, and let through (PosixSignals::hotspot_sigmask)',
  },
  {
    name: 'rt_sigreturn',
    reason: 'returns from handlers: null checks, safepoints and stack overflow are faults (javaSignalHandler)',
  },
  { name: 'getpid', reason: 'after a signal ended the hooks, raise (os::signal_raise, Terminator)' },
  { name: 'tgkill', reason: 'raise, and abort after a fatal error (os::signal_raise, os::abort)' },
  // files that it reads of its own accord
  {
    name: 'openat',
    reason: 'the modules file, jars, native libraries, zone and locale data, cgroup limits, /proc/self/maps',
  },
  { name: 'newfstatat', reason: 'is there a jar or library? has it changed? (os::stat)' },
  { name: 'access', reason: 'is there a file that may be read? (UnixNativeDispatcher, JLI)' },
  { name: 'stat', reason: 'the same, of a machine that was built for an older glibc' },
  { name: 'lstat', reason: 'is the folder of counters a link? of a machine that was built for an older glibc' },
  { name: 'statfs', reason: 'which version of cgroups is mounted, in later versions (CgroupSubsystemFactory)' },
  { name: 'fstat', reason: 'the length of jars and of zone data, where libc still uses it' },
  { name: 'read', reason: 'what openat opened (JarFile, ImageFileReader)' },
  { name: 'pread64', reason: 'the modules file and native libraries, at an offset (osSupport::read, dlopen)' },
  { name: 'lseek', reason: 'jars, and stdio of the machine (ZipFile)' },
  { name: 'readlink', reason: 'the real paths of the machine and its jars (os::realpath)' },
  { name: 'getdents64', reason: 'folders of extensions and of hsperfdata' },
  { name: 'getcwd', reason: 'user.dir, against which paths are resolved' },
  { name: 'ioctl', reason: 'is it a terminal, how much is there to read (System.console, FileInputStream.available)' },
  { name: 'fcntl', reason: 'close-on-exec of what was opened (os::open)' },
  { name: 'close', reason: 'closes these files again' },
  // performance counters in /tmp/hsperfdata_USER/PID (PerfMemory)
  {
    name: 'fchdir',
    reason: 'into the folder of counters and back, so that no link leads elsewhere (open_directory_secure_cwd)',
  },
  { name: 'flock', reason: 'tells files of living processes from those of dead ones (cleanup_sharedmem_files)' },
  { name: 'ftruncate', reason: 'the size of the own file (create_sharedmem_file)' },
  { name: 'getuid', reason: 'whose files are these? user.name (get_user_name); options in the environment' },
  { name: 'geteuid', reason: 'are the folder and its files safe to use? (is_dirfd_secure)' },
  // may JAVA_TOOL_OPTIONS be trusted? (os::have_special_privileges)
  { name: 'getgid', reason: 'options in the environment are taken only without set-group-id' },
  { name: 'getegid', reason: 'options in the environment are taken only without set-group-id' },
  // the end, and what it says
  { name: 'uname', reason: 'os.name and os.version, and in the report of a fatal error' },
  { name: 'getrandom', reason: "malloc's key, seeds (glibc)" },
  { name: 'write', reason: 'standard streams, thread dumps, last words' },
  { name: 'exit_group', reason: 'the end of every process: System.exit, halt, the last thread, out of memory' },
];
