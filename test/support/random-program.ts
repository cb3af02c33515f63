// Random programs that the kernel's checker accepts, with every instruction that it knows.
import type { Instruction, Program } from '../../src/bpf/instruction.ts';
import * as op from '../../src/bpf/opcode.ts';
import { ARCHES } from '../../src/facts/arches.ts';
import { pick, type Random } from './random-policy.ts';

const ACTIONS = [0x7fff_0000, 0x0005_0001, 0x8000_0000, 0, 0x0003_0007, 0x7ffc_0000];
const CONSTANTS = [
  0,
  1,
  2,
  3,
  5,
  31,
  32,
  0xff,
  0x7fff_ffff,
  0x8000_0000,
  0xffff_ffff,
  0x4000_0000,
  ARCHES.x86_64.token,
];

export interface ProgramShape {
  readonly length: number;
  /** Without multiplication and division, which make diagrams large. */
  readonly isSimple: boolean;
}

export function randomProgram(random: Random, { length, isSimple }: ProgramShape): Program {
  const below = (limit: number): number => Math.floor(random() * limit);
  const constant = (): number => pick(random, [...CONSTANTS, below(512), below(2 ** 32)]);
  const stored = new Set<number>();
  const alu = [op.BPF_ADD, op.BPF_SUB, op.BPF_OR, op.BPF_AND, op.BPF_XOR, op.BPF_LSH, op.BPF_RSH, op.BPF_NEG];
  const hard = isSimple ? [] : [op.BPF_MUL, op.BPF_DIV];
  const instruction = (left: number): Instruction => {
    const make = (code: number, k = 0, jt = 0, jf = 0): Instruction => ({ code, jt, jf, k: k >>> 0 });
    const choice = random();
    if (choice < 0.3) return make(op.BPF_LD | op.BPF_ABS, 4 * below(16));
    if (choice < 0.36) return make(pick(random, [op.BPF_LD, op.BPF_LDX]) | op.BPF_IMM, constant());
    if (choice < 0.38) return make(pick(random, [op.BPF_LD, op.BPF_LDX]) | op.BPF_LEN);
    if (choice < 0.42) {
      const slot = below(3);
      stored.add(slot);
      return make(pick(random, [op.BPF_ST, op.BPF_STX]), slot);
    }
    if (choice < 0.46 && stored.size > 0)
      return make(pick(random, [op.BPF_LD, op.BPF_LDX]) | op.BPF_MEM, pick(random, [...stored]));
    if (choice < 0.5) return make(op.BPF_MISC | pick(random, [op.BPF_TAX, op.BPF_TXA]));
    if (choice < 0.66) {
      const operation = pick(random, [...alu, ...hard]);
      const byX = operation !== op.BPF_NEG && random() < 0.2;
      const shift = operation === op.BPF_LSH || operation === op.BPF_RSH;
      const k = shift ? below(32) : operation === op.BPF_DIV ? 1 + below(100) : constant();
      return make(op.BPF_ALU | operation | (byX ? op.BPF_X : op.BPF_K), k);
    }
    if (choice < 0.94 && left > 2) {
      const operation = pick(random, [op.BPF_JEQ, op.BPF_JGT, op.BPF_JGE, op.BPF_JSET]);
      const reach = Math.min(left - 1, 255);
      return make(
        op.BPF_JMP | operation | (random() < 0.15 ? op.BPF_X : op.BPF_K),
        constant(),
        below(reach),
        below(reach),
      );
    }
    if (choice < 0.96 && left > 2) return make(op.BPF_JMP | op.BPF_JA, below(left - 1));
    return make(op.BPF_RET | op.BPF_K, pick(random, ACTIONS));
  };
  const program: Instruction[] = [{ code: op.BPF_LD | op.BPF_ABS, jt: 0, jf: 0, k: 4 * below(8) }];
  while (program.length < length - 1) program.push(instruction(length - program.length - 1));
  program.push({ code: op.BPF_RET | op.BPF_K, jt: 0, jf: 0, k: pick(random, ACTIONS) });
  return program;
}
