/** Classic BPF as seccomp takes it: `selkie/bpf`. */
export { checkProgram } from './check.ts';
export { decodeProgram, encodeProgram, INSTRUCTION_SIZE } from './codec.ts';
export { type DisassembleOptions, disassemble, printReturn } from './disassemble.ts';
export type { Instruction, Program } from './instruction.ts';
export { interpret, type Outcome } from './interpret.ts';
export { interpretStack, type StackOutcome } from './stack.ts';
