/** Classic BPF opcodes, by bit range: include/uapi/linux/bpf_common.h and filter.h. */

// Bits 0-2: class.
export const BPF_LD = 0x00;
export const BPF_LDX = 0x01;
export const BPF_ST = 0x02;
export const BPF_STX = 0x03;
export const BPF_ALU = 0x04;
export const BPF_JMP = 0x05;
export const BPF_RET = 0x06;
export const BPF_MISC = 0x07;
export const CLASS_MASK = 0x07;

// Bits 3-4 of loads: size. seccomp knows words only.
export const BPF_W = 0x00;

// Bits 5-7 of loads: mode.
export const BPF_IMM = 0x00;
export const BPF_ABS = 0x20;
export const BPF_MEM = 0x60;
export const BPF_LEN = 0x80;

// Bits 4-7 of ALU and JMP: operation.
export const BPF_ADD = 0x00;
export const BPF_SUB = 0x10;
export const BPF_MUL = 0x20;
export const BPF_DIV = 0x30;
export const BPF_OR = 0x40;
export const BPF_AND = 0x50;
export const BPF_LSH = 0x60;
export const BPF_RSH = 0x70;
export const BPF_NEG = 0x80;
export const BPF_MOD = 0x90;
export const BPF_XOR = 0xa0;
export const BPF_JA = 0x00;
export const BPF_JEQ = 0x10;
export const BPF_JGT = 0x20;
export const BPF_JGE = 0x30;
export const BPF_JSET = 0x40;
export const OPERATION_MASK = 0xf0;

// Bit 3 of ALU and JMP: the operand is k or X.
export const BPF_K = 0x00;
export const BPF_X = 0x08;
export const SOURCE_MASK = 0x08;

// Bits 3-4 of RET: what is returned.
export const BPF_A = 0x10;

// Bits 3-7 of MISC.
export const BPF_TAX = 0x00;
export const BPF_TXA = 0x80;

/** Words of scratch memory. */
export const BPF_MEMWORDS = 16;
