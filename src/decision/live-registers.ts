import type { Instruction, Program } from '../bpf/instruction.ts';
import * as op from '../bpf/opcode.ts';

/** Registers as bits of a set: A, X, and the words of scratch memory from M0 on. */
export const A = 0;
export const X = 1;
export const M0 = 2;

/** For each instruction the set of registers that are read there or later before they are written again. */
export function liveRegisters(program: Program): readonly number[] {
  const live: number[] = new Array(program.length).fill(0);
  for (let pc = program.length - 1; pc >= 0; pc -= 1) {
    const instruction = program[pc] as Instruction;
    const after = targets(instruction, pc).reduce((all, target) => all | (live[target] ?? 0), 0);
    live[pc] = (after & ~written(instruction)) | read(instruction);
  }
  return live;
}

function targets({ code, jt, jf, k }: Instruction, pc: number): readonly number[] {
  const kind = code & op.CLASS_MASK;
  if (kind === op.BPF_RET) return [];
  if (kind !== op.BPF_JMP) return [pc + 1];
  return (code & op.OPERATION_MASK) === op.BPF_JA ? [pc + 1 + k] : [pc + 1 + jt, pc + 1 + jf];
}

/** The registers that an instruction writes, as a set: one or none. */
export function written({ code, k }: Instruction): number {
  switch (code & op.CLASS_MASK) {
    case op.BPF_LD:
    case op.BPF_ALU:
      return 1 << A;
    case op.BPF_LDX:
      return 1 << X;
    case op.BPF_ST:
    case op.BPF_STX:
      return 1 << (M0 + k);
    case op.BPF_MISC:
      return isTxa(code) ? 1 << A : 1 << X;
    default:
      return 0;
  }
}

function read({ code, k }: Instruction): number {
  const operand = (code & op.SOURCE_MASK) === op.BPF_X ? 1 << X : 0;
  switch (code & op.CLASS_MASK) {
    case op.BPF_LD:
    case op.BPF_LDX:
      return (code & 0xe0) === op.BPF_MEM ? 1 << (M0 + k) : 0;
    case op.BPF_ST:
      return 1 << A;
    case op.BPF_STX:
      return 1 << X;
    case op.BPF_ALU:
      return (1 << A) | operand;
    case op.BPF_JMP:
      return (code & op.OPERATION_MASK) === op.BPF_JA ? 0 : (1 << A) | operand;
    case op.BPF_RET:
      return (code & 0x18) === op.BPF_A ? 1 << A : 0;
    default:
      return isTxa(code) ? 1 << X : 1 << A;
  }
}

function isTxa(code: number): boolean {
  return (code & 0xf8) === op.BPF_TXA;
}
