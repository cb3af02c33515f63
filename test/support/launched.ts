/** Policies for test/programs/launched.c, and what it says under them. */

/** What it and the C libraries around it call behind the entry. */
const PROGRAM =
  'write exit_group exit fcntl wait4 brk arch_prctl set_tid_address set_robust_list rseq prlimit64 readlinkat readlink getrandom mprotect';
/** What ld.so needs besides. */
const LOADER = 'openat open mmap read pread64 close fstat newfstatat munmap access faccessat writev';
export const HEADER = 'selkie: 1\nsets: 1\narches: [x86_64]\ndefault: errno(EPERM)\n';
const list = (names: string): string => `[${names.split(' ').join(', ')}]`;

/** By what `start:` permits. */
export const LAUNCHED_POLICIES = {
  exec: `${HEADER}syscalls:\n  allow: ${list(PROGRAM)}\nstart:\n  allow: [execve]\n`,
  loader: `${HEADER}syscalls:\n  allow: ${list(PROGRAM)}\nstart:\n  allow: ${list(`execve ${LOADER}`)}\n`,
};

export const ENOENT = 2;
export const EPERM = 1;
const ECHILD = 10;
export const ENOSYS = 38;

/** Its line: errnos of execve and open, and its words. */
export const launchedSays = (execve: number, open: number, words: string): string =>
  `execve ${execve}, seccomp ${EPERM}, prctl ${EPERM}, open ${open}, wait ${ECHILD}, descriptors 3, words ${words}\n`;
