import type { Target } from '../static-file.ts';

/** What the guards of both machines share; guard-x86-64.ts says what a guard does. */

/** Kinds of message; the values that follow. */
export const GUARD_LISTENER = 1; // pid
export const GUARD_REFUSED = 2; // errno of seccomp(2)
export const GUARD_STATUS = 3; // pid, wait status, errno of execve(2) or 0
export const GUARD_SIGNAL = 4; // signal, si_code, si_pid
export const GUARD_TRACEE = 5; // pid: waits to be traced, and then for a byte

/** Signal that asks the guard to kill everything; real-time signals, which nobody sends by accident. */
export const GUARD_KILL_SIGNAL = 62;
export const DEATH_SIGNAL = 63;

export interface GuardOptions {
  readonly target: Target;
  /** Descriptor of the unix socket to Selkie, open in the guard. */
  readonly socket: number;
  /** Selkie's pid, which must be the guard's parent. */
  readonly parent: number;
  /** Signals that the target shall have blocked: bit N-1 for signal N. */
  readonly blocked: bigint;
  /** The filter, encoded instructions of 8 bytes, which must answer the probe call; absent: every call is notified. */
  readonly filter?: Uint8Array;
  /** The target waits for a tracer and gets no listener: its filter, which answers no probe call, says SECCOMP_RET_TRACE. On x86-64 alone. */
  readonly isTraced?: boolean;
}

export const SECCOMP_SET_MODE_FILTER = 1;
export const FLAG_NEW_LISTENER = 8;
export const FLAG_WAIT_KILLABLE_RECV = 32;
export const EINVAL = 22;
export const EOPNOTSUPP = 95;
export const ECHILD = 10;
export const SIGCHLD = 17;
export const SIGKILL = 9;
export const WNOHANG = 1;
export const WUNTRACED = 2;
export const WCONTINUED = 8;
export const WALL = 0x4000_0000;
export const CLONE_VM_FILES: number = 0x100 | 0x400;
export const MSG_NOSIGNAL = 0x4000;
export const PR_SET_PDEATHSIG = 1;
export const PR_SET_CHILD_SUBREAPER = 36;
export const F_SETFD = 2;
export const SIG_SETMASK = 2;
export const SOL_SOCKET = 1;
export const SCM_RIGHTS = 1;
/** Of a control message with one descriptor: its length, and the room that it takes. */
export const CMSG_LENGTH = 20;
export const CMSG_SPACE = 24;

/**
 * The guard's stack, from its initial stack pointer down (rounded to 64), all shared with the child until execve:
 *
 *     state + 0x4000   here execve(2) put argc, argv, envp
 *     state            by the offsets below; the child's stack grows down from here
 *     state - 0x4000   the guard's stack grows down from here
 */
export const ROOM = 0x4000;
export const GUARD_STATE = {
  listener: 0,
  execErrno: 8,
  targetAlive: 16,
  status: 24,
  message: 64,
  iovec: 96,
  header: 128,
  control: 192,
  siginfo: 256,
  children: 512,
} as const;
export const CHILDREN_SIZE = 0x2000;

/** What `listener` holds until seccomp(2) has answered: neither a descriptor nor -errno. */
export const NOT_YET = 0x7fff_ffff;

/** One instruction: return SECCOMP_RET_USER_NOTIF. */
export const NOTIFY_ALL: Uint8Array = Uint8Array.of(6, 0, 0, 0, 0, 0, 0xc0, 0x7f);

/** What a guard waits for; bit N-1 for signal N. */
export const GUARD_SIGNALS: bigint = [1, 2, 3, 15, SIGCHLD, GUARD_KILL_SIGNAL, DEATH_SIGNAL].reduce(
  (set, signal) => set | (1n << BigInt(signal - 1)),
  0n,
);
/** Pauses of a guard, in nanoseconds and seconds. */
export const PAUSE_NS = 30_000n;
export const LISTEN_S = 1n;
export const CHILDREN_PATH = '/proc/thread-self/children\0';
