import { ProgramError } from '../base/errors.ts';
import { BPF_MAXINSNS, SECCOMP_DATA_SIZE } from '../facts/seccomp.ts';
import type { Instruction, Program } from './instruction.ts';
import * as op from './opcode.ts';

/** Operations that seccomp takes with k and with X. MOD is classic BPF but not in seccomp's list. */
const ALU_OPERATIONS = [
  op.BPF_ADD,
  op.BPF_SUB,
  op.BPF_MUL,
  op.BPF_DIV,
  op.BPF_AND,
  op.BPF_OR,
  op.BPF_XOR,
  op.BPF_LSH,
  op.BPF_RSH,
];
const JUMP_OPERATIONS = [op.BPF_JEQ, op.BPF_JGE, op.BPF_JGT, op.BPF_JSET];

/** Every code that seccomp_check_filter lets through. */
const ALLOWED: ReadonlySet<number> = new Set([
  op.BPF_LD | op.BPF_W | op.BPF_ABS,
  op.BPF_LD | op.BPF_W | op.BPF_LEN,
  op.BPF_LDX | op.BPF_W | op.BPF_LEN,
  op.BPF_LD | op.BPF_IMM,
  op.BPF_LDX | op.BPF_IMM,
  op.BPF_LD | op.BPF_MEM,
  op.BPF_LDX | op.BPF_MEM,
  op.BPF_ST,
  op.BPF_STX,
  op.BPF_RET | op.BPF_K,
  op.BPF_RET | op.BPF_A,
  op.BPF_ALU | op.BPF_NEG,
  op.BPF_MISC | op.BPF_TAX,
  op.BPF_MISC | op.BPF_TXA,
  op.BPF_JMP | op.BPF_JA,
  ...[op.BPF_K, op.BPF_X].flatMap((source) => ALU_OPERATIONS.map((operation) => op.BPF_ALU | operation | source)),
  ...[op.BPF_K, op.BPF_X].flatMap((source) => JUMP_OPERATIONS.map((operation) => op.BPF_JMP | operation | source)),
]);

const LD_ABS = op.BPF_LD | op.BPF_W | op.BPF_ABS;
const JA = op.BPF_JMP | op.BPF_JA;

/**
 * Checks a program as seccomp(2) will, so that a bad one fails here with a place instead of EINVAL.
 *
 * @throws {ProgramError} first fault found, with its `pc`
 * @see net/core/filter.c bpf_check_classic, check_load_and_stores; kernel/seccomp.c seccomp_check_filter (v6.18)
 */
export function checkProgram(program: Program): void {
  if (program.length === 0 || program.length > BPF_MAXINSNS) {
    const problem = `a program has 1 to ${BPF_MAXINSNS} instructions, this one has ${program.length}`;
    throw new ProgramError('bad_length', problem);
  }
  program.forEach((instruction, pc) => {
    checkInstruction(instruction, pc, program.length);
  });
  const last = program.length - 1;
  if (((program[last] as Instruction).code & op.CLASS_MASK) !== op.BPF_RET) {
    throw new ProgramError('no_return', 'the last instruction must return', last);
  }
  checkScratch(program);
}

function checkInstruction({ code, jt, jf, k }: Instruction, pc: number, length: number): void {
  if (!ALLOWED.has(code)) throw new ProgramError('bad_code', `seccomp refuses the code 0x${code.toString(16)}`, pc);
  if (code === LD_ABS && (k >= SECCOMP_DATA_SIZE || k % 4 !== 0)) {
    const wanted = `offsets are multiples of 4 below ${SECCOMP_DATA_SIZE}`;
    throw new ProgramError('bad_load', `a load from offset ${k}: ${wanted}`, pc);
  }
  if (isScratch(code) && k >= op.BPF_MEMWORDS) {
    throw new ProgramError('bad_scratch', `M[${k}]: there are ${op.BPF_MEMWORDS} words`, pc);
  }
  checkConstantOperand(code, k, pc);
  if ((code & op.CLASS_MASK) !== op.BPF_JMP) return;
  const farthest = code === JA ? k : Math.max(jt, jf);
  if (pc + farthest + 1 >= length) throw new ProgramError('bad_jump', 'a jump leaves the program', pc);
}

function checkConstantOperand(code: number, k: number, pc: number): void {
  if (code === (op.BPF_ALU | op.BPF_DIV | op.BPF_K) && k === 0) {
    throw new ProgramError('division_by_zero', 'a division by the constant 0', pc);
  }
  const shift = code === (op.BPF_ALU | op.BPF_LSH | op.BPF_K) || code === (op.BPF_ALU | op.BPF_RSH | op.BPF_K);
  if (shift && k >= 32) throw new ProgramError('bad_shift', `a shift by ${k}: at most 31`, pc);
}

function isScratch(code: number): boolean {
  return isScratchLoad(code) || isScratchStore(code);
}

function isScratchLoad(code: number): boolean {
  return code === (op.BPF_LD | op.BPF_MEM) || code === (op.BPF_LDX | op.BPF_MEM);
}

function isScratchStore(code: number): boolean {
  return code === op.BPF_ST || code === op.BPF_STX;
}

/**
 * Every word of scratch memory must be stored on every way to its load. `valid` has a bit per word; jumps are forward, so one pass does.
 */
function checkScratch(program: Program): void {
  const arriving = new Uint16Array(program.length + 1).fill(0xffff);
  let valid = 0;
  program.forEach(({ code, jt, jf, k }, pc) => {
    valid &= arriving[pc] as number;
    if (isScratchStore(code)) valid |= 1 << k;
    else if (isScratchLoad(code)) {
      if ((valid & (1 << k)) === 0)
        throw new ProgramError('unset_scratch', `M[${k}] is loaded before it is stored`, pc);
    } else if ((code & op.CLASS_MASK) === op.BPF_JMP) {
      for (const jump of code === JA ? [k] : [jt, jf]) {
        const target = pc + 1 + jump;
        arriving[target] = (arriving[target] as number) & valid;
      }
      valid = 0xffff;
    }
  });
}
