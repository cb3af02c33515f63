/**
 * One classic BPF instruction, `struct sock_filter` of include/uapi/linux/filter.h:
 *
 *     u16 code | u8 jt | u8 jf | u32 k        (8 bytes, the machine's byte order)
 */
export interface Instruction {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  /** Kept unsigned. */
  readonly k: number;
}

/** A program as the kernel takes it: 1 to 4096 instructions (BPF_MAXINSNS). */
export type Program = readonly Instruction[];

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
