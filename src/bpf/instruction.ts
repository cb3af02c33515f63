export type { SeccompData } from '../facts/seccomp.ts';

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
