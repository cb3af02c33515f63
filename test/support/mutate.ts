// Programs that differ from another one by one instruction.
import { ProgramError } from '../../src/base/errors.ts';
import { checkProgram } from '../../src/bpf/check.ts';
import type { Instruction, Program } from '../../src/bpf/instruction.ts';
import * as op from '../../src/bpf/opcode.ts';
import { pick, type Random } from './random-policy.ts';

const JUMPS = [op.BPF_JEQ, op.BPF_JGT, op.BPF_JGE, op.BPF_JSET];
const OPERATIONS = [
  ...[op.BPF_ADD, op.BPF_SUB, op.BPF_MUL, op.BPF_DIV, op.BPF_OR],
  ...[op.BPF_AND, op.BPF_XOR, op.BPF_LSH, op.BPF_RSH, op.BPF_NEG],
];
/** Every code of the kernel's list. */
const CODES: readonly number[] = [
  ...[op.BPF_ABS, op.BPF_LEN, op.BPF_IMM, op.BPF_MEM].map((mode) => op.BPF_LD | mode),
  ...[op.BPF_LEN, op.BPF_IMM, op.BPF_MEM].map((mode) => op.BPF_LDX | mode),
  ...[op.BPF_ST, op.BPF_STX, op.BPF_RET, op.BPF_RET | op.BPF_A, op.BPF_MISC | op.BPF_TAX, op.BPF_MISC | op.BPF_TXA],
  ...[op.BPF_K, op.BPF_X].flatMap((source) => OPERATIONS.map((operation) => op.BPF_ALU | operation | source)),
  ...[op.BPF_K, op.BPF_X].flatMap((source) => JUMPS.map((operation) => op.BPF_JMP | operation | source)),
  op.BPF_JMP | op.BPF_JA,
];

/** One instruction is another one: another code, constant, jump or word. Not always legal. */
export function mutate(random: Random, program: Program): Program {
  const pc = Math.floor(random() * program.length);
  const before = program[pc] as Instruction;
  const changed = change(random, before);
  const same = (['code', 'jt', 'jf', 'k'] as const).every((field) => changed[field] === before[field]);
  return same ? mutate(random, program) : program.map((each, index) => (index === pc ? changed : each));
}

function change(random: Random, instruction: Instruction): Instruction {
  const { code, jt, jf, k } = instruction;
  const flipped = k ^ (1 << Math.floor(random() * 32));
  const step = pick(random, [1, -1]);
  switch (pick(random, ['code', 'k', 'k', 'jt', 'jf', 'swap', 'offset'] as const)) {
    case 'code':
      return { ...instruction, code: pick(random, CODES) };
    case 'k':
      return { ...instruction, k: pick(random, [k + 1, k - 1, flipped, flipped, 0, ~0]) >>> 0 };
    case 'jt':
      return { ...instruction, jt: pick(random, [(jt + step) & 255, 0]) };
    case 'jf':
      return { ...instruction, jf: pick(random, [(jf + step) & 255, 0]) };
    case 'swap':
      return { ...instruction, jt: jf, jf: jt };
    default:
      return code === (op.BPF_LD | op.BPF_ABS) ? { ...instruction, k: 4 * Math.floor(random() * 16) } : instruction;
  }
}

/** As the kernel's checker says. */
export function isLegal(program: Program): boolean {
  try {
    checkProgram(program);
    return true;
  } catch (error) {
    if (!(error instanceof ProgramError)) throw error;
    return false;
  }
}
