/** Constants of include/uapi/linux/seccomp.h and the layout of struct seccomp_data. */

export const SECCOMP_RET_KILL_PROCESS = 0x8000_0000;
export const SECCOMP_RET_KILL_THREAD = 0x0000_0000;
export const SECCOMP_RET_TRAP = 0x0003_0000;
export const SECCOMP_RET_ERRNO = 0x0005_0000;
export const SECCOMP_RET_USER_NOTIF = 0x7fc0_0000;
export const SECCOMP_RET_TRACE = 0x7ff0_0000;
export const SECCOMP_RET_LOG = 0x7ffc_0000;
export const SECCOMP_RET_ALLOW = 0x7fff_0000;

/** What the kernel knows to do, from the strictest on: actions are ordered as signed numbers (kernel/seccomp.c seccomp_run_filters). */
export const KNOWN_ACTIONS: readonly number[] = [
  SECCOMP_RET_KILL_PROCESS,
  SECCOMP_RET_KILL_THREAD,
  SECCOMP_RET_TRAP,
  SECCOMP_RET_ERRNO,
  SECCOMP_RET_USER_NOTIF,
  SECCOMP_RET_TRACE,
  SECCOMP_RET_LOG,
  SECCOMP_RET_ALLOW,
];
export const SECCOMP_RET_ACTION_FULL = 0xffff_0000;
export const SECCOMP_RET_DATA = 0x0000_ffff;

/** The operation of seccomp(2) that installs a filter, and its flag for all threads of the process. */
export const SECCOMP_SET_MODE_FILTER = 1;
export const SECCOMP_FILTER_FLAG_TSYNC = 1;

/** Largest errno that SECCOMP_RET_ERRNO carries: MAX_ERRNO of include/linux/err.h. */
export const MAX_ERRNO = 4095;

/** Byte offsets in struct seccomp_data (64 bytes). args[i] starts at 16 + 8 * i. */
export const OFFSET_NR = 0;
export const OFFSET_ARCH = 4;
export const OFFSET_INSTRUCTION_POINTER = 8;
export const OFFSET_ARGS = 16;
export const SECCOMP_DATA_SIZE = 64;

/** Most instructions of one program: BPF_MAXINSNS of include/uapi/linux/bpf_common.h. */
export const BPF_MAXINSNS = 4096;

/**
 * The probe call by which everything that installs one of our filters proves that it is in force: seccomp(2) with an
 * operation that no kernel has. Without our filter the kernel answers EINVAL, and an outer filter that lies about the
 * installation answers what it likes; only our program answers PROBE_ERRNO. It uses seccomp(2) itself because that call must be
 * open to an installer anyway, so that an outer filter that kills unknown numbers does not kill the probe.
 */
export const PROBE_OPERATION = 0x5e1c1e00;
export const PROBE_ARGUMENT = 0x53454c4b;
export const PROBE_ERRNO = 3517;
/** What the second program of a policy answers (`service:`): of two errnos the kernel takes the newer program's, so that this one proves it. */
export const SERVICE_PROBE_ERRNO = 3518;

/**
 * The mark: seccomp(2) with this second argument, which a filter with `start` on notice (compile/notice.ts) always notifies. The launcher asks by it
 * whether its answerer is there; planted at a program's entry it says that the start is over. Without a listener the kernel answers ENOSYS.
 */
export const MARK_ARGUMENT = 0x53544152;

/** What a filter is asked about: `struct seccomp_data` of include/uapi/linux/seccomp.h. */
export interface SeccompData {
  /** Syscall number, unsigned 32 bits. */
  readonly nr: number;
  /** AUDIT_ARCH_* token, unsigned 32 bits. */
  readonly arch: number;
  /** Address after the syscall instruction, unsigned 64 bits. */
  readonly instructionPointer: bigint;
  /** Exactly six, each unsigned 64 bits. */
  readonly args: readonly bigint[];
}
