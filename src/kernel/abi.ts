import { NUMBERS_AARCH64 } from '../facts/tables/z-numbers-aarch64.ts';
import { NUMBERS_X86_64 } from '../facts/tables/z-numbers-x86-64.ts';

/** Numbers of the kernel's interface on this machine: include/uapi/linux, and the numbers of calls from two tables alone, as commands wait for this file. */

const NUMBERS = process.arch === 'arm64' ? NUMBERS_AARCH64 : NUMBERS_X86_64;
const number = (name: string): number => NUMBERS[name] as number;

const NAMES = [
  'bpf',
  'close',
  'eventfd2',
  'execve',
  'execveat',
  'exit_group',
  'fcntl',
  'fgetxattr',
  'flistxattr',
  'fsetxattr',
  'getpgid',
  'getpid',
  'io_uring_enter',
  'io_uring_setup',
  'ioctl',
  'kill',
  'landlock_create_ruleset',
  'memfd_create',
  'mmap',
  'munmap',
  'openat',
  'perf_event_open',
  'pidfd_getfd',
  'pidfd_open',
  'pidfd_send_signal',
  'pipe2',
  'prctl',
  'pread64',
  'process_vm_readv',
  'ptrace',
  'pwrite64',
  'recvmsg',
  'rt_sigaction',
  'seccomp',
  'setresuid',
  'socketpair',
  'tgkill',
  'unshare',
  'wait4',
  'write',
] as const;

/** System calls that this folder makes itself; `poll` is what libc's poll(3) calls, which is ppoll(2) on AArch64. */
export const NR: { readonly [K in (typeof NAMES)[number] | 'poll']: number } = {
  ...(Object.fromEntries(NAMES.map((name) => [name, number(name)])) as Record<(typeof NAMES)[number], number>),
  poll: NUMBERS.poll ?? number('ppoll'),
};

/** include/uapi/linux/prctl.h */
export const PR_SET_NO_NEW_PRIVS = 38;
export const PR_GET_NO_NEW_PRIVS = 39;
export const PR_GET_SECCOMP = 21;
export const PR_SET_SECCOMP = 22;
/** include/uapi/linux/seccomp.h: modes of PR_SET_SECCOMP and PR_GET_SECCOMP. */
export const SECCOMP_MODE_DISABLED = 0;
export const SECCOMP_MODE_STRICT = 1;
export const SECCOMP_MODE_FILTER = 2;

/** include/uapi/linux/seccomp.h: operations of seccomp(2). */
export const SECCOMP_SET_MODE_STRICT = 0;
export const SECCOMP_SET_MODE_FILTER = 1;
export const SECCOMP_GET_ACTION_AVAIL = 2;
export const SECCOMP_GET_NOTIF_SIZES = 3;

/** include/uapi/linux/seccomp.h: flags of SECCOMP_SET_MODE_FILTER. */
export const SECCOMP_FILTER_FLAG_TSYNC = 1;
export const SECCOMP_FILTER_FLAG_LOG = 2;
export const SECCOMP_FILTER_FLAG_SPEC_ALLOW = 4;
export const SECCOMP_FILTER_FLAG_NEW_LISTENER = 8;
export const SECCOMP_FILTER_FLAG_TSYNC_ESRCH = 16;
export const SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV = 32;

/** include/uapi/linux/seccomp.h: ioctls of a listener. The number of ID_VALID changed in 5.8 (commit 47e33c05f9f0). */
export const SECCOMP_IOCTL_NOTIF_RECV = 0xc050_2100;
export const SECCOMP_IOCTL_NOTIF_SEND = 0xc018_2101;
export const SECCOMP_IOCTL_NOTIF_ID_VALID = 0x4008_2102;
export const SECCOMP_IOCTL_NOTIF_ID_VALID_WRONG_DIR = 0x8008_2102;
export const SECCOMP_IOCTL_NOTIF_SET_FLAGS = 0x4008_2104;
export const SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP = 1;
export const SECCOMP_USER_NOTIF_FLAG_CONTINUE = 1;

/**
 * struct seccomp_notif (80 bytes) and struct seccomp_notif_resp (24 bytes):
 *
 *     u64 id | u32 pid | u32 flags | struct seccomp_data { s32 nr | u32 arch | u64 ip | u64 args[6] }
 *     u64 id | s64 val | s32 error | u32 flags
 */
export const NOTIF_SIZE = 80;
export const NOTIF_OFFSET_PID = 8;
export const NOTIF_OFFSET_NR = 16;
export const NOTIF_OFFSET_ARCH = 20;
export const NOTIF_OFFSET_IP = 24;
export const NOTIF_OFFSET_ARGS = 32;
export const NOTIF_RESP_SIZE = 24;

/** include/uapi/linux/ptrace.h */
export const PTRACE_CONT = 7;
export const PTRACE_GETREGS = 12;
export const PTRACE_SETREGS = 13;
export const PTRACE_DETACH = 17;
export const PTRACE_GETEVENTMSG = 0x4201;
export const PTRACE_SETSIGINFO = 0x4203;
export const PTRACE_SEIZE = 0x4206;
export const PTRACE_INTERRUPT = 0x4207;
export const PTRACE_LISTEN = 0x4208;
export const PTRACE_SECCOMP_GET_FILTER = 0x420c;
export const PTRACE_EVENT_EXEC = 4;
export const PTRACE_EVENT_SECCOMP = 7;
export const PTRACE_EVENT_STOP = 128;
export const PTRACE_O_TRACEFORK = 2;
export const PTRACE_O_TRACEVFORK = 4;
export const PTRACE_O_TRACECLONE = 8;
export const PTRACE_O_TRACEEXEC = 0x10;
export const PTRACE_O_TRACESECCOMP = 0x80;
export const PTRACE_O_EXITKILL = 0x10_0000;

/** include/uapi/linux/wait.h: options of wait4(2). */
export const WNOHANG = 1;
export const WNOTHREAD = 0x2000_0000;
export const WALL = 0x4000_0000;

/** include/uapi/asm-generic/poll.h */
export const POLLIN = 1;
export const POLLERR = 8;
export const POLLHUP = 16;

/** include/uapi/asm-generic/fcntl.h */
export const F_GETFD = 1;
export const F_SETFD = 2;
export const FD_CLOEXEC = 1;
export const AT_EMPTY_PATH = 0x1000;
