import type { FloorCall } from './floor.ts';

/**
 * What CPython may call in any run, besides glibc: modules that are imported late, the collector, threads, tracebacks, KeyboardInterrupt. Seen
 * with Debian's Python 3.11 (test/programs/python-stress, scripts/floors/captured/runtimes.json). Writing `__pycache__` is left out: where it
 * is refused, Python goes on without.
 */
export const PYTHON: readonly FloorCall[] = [
  // modules and tracebacks
  { name: 'openat', reason: 'a module that is imported, a source line of a traceback (importlib, traceback)' },
  { name: 'newfstatat', reason: 'is there a module? what changed it last? (importlib)' },
  { name: 'fstat', reason: 'the same where libc still uses it' },
  { name: 'read', reason: 'the content of modules and sources' },
  { name: 'lseek', reason: 'how much of a file is left (FileIO.readall)' },
  { name: 'ioctl', reason: 'each opened file: FIOCLEX, and is it a terminal? (_Py_open, isatty)' },
  { name: 'fcntl', reason: 'each copied descriptor: close-on-exec (_Py_dup)' },
  { name: 'getdents64', reason: 'what a folder of modules holds (FileFinder._fill_cache)' },
  { name: 'getcwd', reason: 'the first folder of sys.path where it is empty (importlib)' },
  { name: 'readlink', reason: 'links on the way to the script and to a virtual environment (realpath)' },
  { name: 'pread64', reason: 'program headers of extension modules (dlopen)' },
  { name: 'close', reason: 'closes these files again' },
  // memory and threads
  { name: 'mmap', reason: 'arenas of objects, extension modules (_PyObject_Arena)' },
  { name: 'munmap', reason: 'an arena that is empty' },
  { name: 'mprotect', reason: 'extension modules (dlopen)' },
  { name: 'futex', reason: 'the interpreter lock passes on, locks of threads' },
  { name: 'getrandom', reason: 'random and hash seeds (pyurandom)' },
  { name: 'clock_gettime', reason: 'time where the vDSO cannot tell it, and processor time clocks always' },
  // signals and the end
  { name: 'rt_sigaction', reason: 'handlers are asked, and reset at the end (signal_install_handlers, finisignal)' },
  { name: 'rt_sigreturn', reason: 'returns from the handler of SIGINT' },
  { name: 'getpid', reason: 'ends by SIGINT itself after an unhandled KeyboardInterrupt (exit_sigint)' },
  { name: 'write', reason: 'tracebacks and what is flushed at the end' },
  { name: 'exit_group', reason: 'the end of every program' },
];
