// Twenty mistakes that compilers of filters have made or could make, each applied to every place of a correct program at once.
import type { Instruction, Program } from '../../src/bpf/instruction.ts';
import * as op from '../../src/bpf/opcode.ts';
import { X32_SYSCALL_BIT } from '../../src/facts/arches.ts';
import { OFFSET_ARCH, OFFSET_ARGS } from '../../src/facts/seccomp.ts';

export interface PlantedBug {
  readonly claim: string;
  readonly plant: (program: Program) => Program;
}

type Mutate = (instruction: Instruction, pc: number, program: Program) => Instruction;

const each = (claim: string, mutate: Mutate): PlantedBug => ({ claim, plant: (program) => program.map(mutate) });

const LD_ABS = op.BPF_LD | op.BPF_ABS;
const JEQ = op.BPF_JMP | op.BPF_JEQ;
const JGT = op.BPF_JMP | op.BPF_JGT;
const JGE = op.BPF_JMP | op.BPF_JGE;
const isRet = ({ code }: Instruction): boolean => code === op.BPF_RET;
const JSET = op.BPF_JMP | op.BPF_JSET;
const isJump = ({ code }: Instruction): boolean => [JEQ, JGE, JSET].includes(code);
const loadBefore = (program: Program, pc: number): Instruction | undefined => {
  for (let at = pc - 1; at >= 0; at -= 1) if (program[at]?.code === LD_ABS) return program[at];
  return undefined;
};
const isArgument = (instruction: Instruction): boolean => instruction.code === LD_ABS && instruction.k >= OFFSET_ARGS;
/** Is this a jump on a high word? */
const isHigh = (instruction: Instruction, pc: number, program: Program): boolean => {
  const load = loadBefore(program, pc);
  return isJump(instruction) && load !== undefined && isArgument(load) && load.k % 8 === 4;
};
/** Moves a jump target by one, without leaving the program. */
const moved = (jump: number, pc: number, program: Program): number =>
  pc + jump + 2 < program.length && jump < 255 ? jump + 1 : jump;

export const PLANTED_BUGS: readonly PlantedBug[] = [
  each('greater-or-equal becomes greater', (it) => (it.code === JGE ? { ...it, code: JGT } : it)),
  each('common bits become equality', (it) => (it.code === JSET ? { ...it, code: JEQ } : it)),
  each('equality becomes greater-or-equal', (it) => (it.code === JEQ ? { ...it, code: JGE } : it)),
  each('ways of equality are swapped', (it) => (it.code === JEQ ? { ...it, jt: it.jf, jf: it.jt } : it)),
  each('jt is off by one', (it, pc, program) => (isJump(it) ? { ...it, jt: moved(it.jt, pc, program) } : it)),
  each('jf is off by one', (it, pc, program) => (isJump(it) ? { ...it, jf: moved(it.jf, pc, program) } : it)),
  each('jumps are truncated to 5 bits', (it) => (isJump(it) ? { ...it, jt: it.jt & 31, jf: it.jf & 31 } : it)),
  each('the arch is not tested', (it, pc, program) =>
    it.code === JEQ && loadBefore(program, pc)?.k === OFFSET_ARCH ? { ...it, jf: it.jt } : it,
  ),
  each('x32 numbers are not told apart', (it) =>
    it.code === JGE && it.k === X32_SYSCALL_BIT ? { ...it, jt: it.jf } : it,
  ),
  each('masks are dropped', (it) => (it.code === (op.BPF_ALU | op.BPF_AND) ? { ...it, k: 0xffff_ffff } : it)),
  each('the lowest bit of masks is lost', (it) =>
    it.code === (op.BPF_ALU | op.BPF_AND) ? { ...it, k: (it.k & (it.k - 1)) >>> 0 } : it,
  ),
  each('words are swapped', (it) => (isArgument(it) ? { ...it, k: it.k ^ 4 } : it)),
  each('high words are ignored', (it, pc, program) =>
    it.code === JEQ && isHigh(it, pc, program) ? { ...it, jf: it.jt } : it,
  ),
  each('high words are never as great', (it, pc, program) =>
    it.code === JGE && isHigh(it, pc, program) ? { ...it, jt: it.jf } : it,
  ),
  each('arguments are shifted by one', (it) => (isArgument(it) && it.k < 56 ? { ...it, k: it.k + 8 } : it)),
  each('comparisons are signed', (it, pc, program) => {
    const load = loadBefore(program, pc);
    const signed = it.code === JGE && load !== undefined && isArgument(load) && it.k >= 0x8000_0000;
    return signed ? { ...it, k: (it.k ^ 0x8000_0000) >>> 0 } : it;
  }),
  each('constants are off by one', (it) => (isJump(it) && it.k > 0 ? { ...it, k: it.k - 1 } : it)),
  each('errnos lose their data', (it) => (isRet(it) && it.k >>> 16 === 5 ? { ...it, k: 0x0005_0000 } : it)),
  each('log becomes allow', (it) => (isRet(it) && it.k === 0x7ffc_0000 ? { ...it, k: 0x7fff_0000 } : it)),
  each('kill_process becomes kill_thread', (it) => (isRet(it) && it.k === 0x8000_0000 ? { ...it, k: 0 } : it)),
];
