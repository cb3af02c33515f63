import { ProgramError } from '../base/errors.ts';
import { highHalf, lowHalf } from '../base/u64.ts';
import { isLittleEndian } from '../facts/arches.ts';
import {
  OFFSET_ARCH,
  OFFSET_ARGS,
  OFFSET_INSTRUCTION_POINTER,
  OFFSET_NR,
  SECCOMP_DATA_SIZE,
  SECCOMP_RET_KILL_THREAD,
  type SeccompData,
} from '../facts/seccomp.ts';
import type { Instruction, Program } from './instruction.ts';
import * as op from './opcode.ts';

export interface Outcome {
  /** SECCOMP_RET_* with its data, unsigned 32 bits. */
  readonly action: number;
  /** Instructions executed. */
  readonly steps: number;
}

/**
 * Runs a checked program on one call, as the kernel does: registers A and X and 16 words of scratch memory, all unsigned 32 bits, little-endian
 * data. Division by X = 0 returns 0 (kill_thread); shifts by X use its low 5 bits.
 *
 * @param visited - when given, visited[pc] is set to 1 for every instruction executed
 */
export function interpret(program: Program, data: SeccompData, visited?: Uint8Array): Outcome {
  const machine = new Machine(wordsOf(data));
  let pc = 0;
  for (let steps = 1; ; steps += 1) {
    const instruction = program[pc];
    if (!instruction) throw new ProgramError('no_return', 'the program ran over its end', pc);
    if (visited) visited[pc] = 1;
    if ((instruction.code & op.CLASS_MASK) === op.BPF_RET) {
      const byA = (instruction.code & 0x18) === op.BPF_A;
      return { action: byA ? machine.a : instruction.k >>> 0, steps };
    }
    const jump = machine.step(instruction);
    if (jump === undefined) return { action: SECCOMP_RET_KILL_THREAD, steps };
    pc += 1 + jump;
  }
}

/** struct seccomp_data as sixteen words; which half of a 64-bit value comes first is the architecture's. */
function wordsOf({ nr, arch, instructionPointer, args }: SeccompData): Uint32Array {
  const words = new Uint32Array(SECCOMP_DATA_SIZE / 4);
  words[OFFSET_NR / 4] = nr;
  words[OFFSET_ARCH / 4] = arch;
  const lowFirst = isLittleEndian(arch);
  [instructionPointer, ...args].forEach((value, index) => {
    const at = (index === 0 ? OFFSET_INSTRUCTION_POINTER : OFFSET_ARGS + 8 * (index - 1)) / 4;
    words[lowFirst ? at : at + 1] = lowHalf(value);
    words[lowFirst ? at + 1 : at] = highHalf(value);
  });
  return words;
}

class Machine {
  a = 0;
  x = 0;
  readonly #memory = new Uint32Array(op.BPF_MEMWORDS);
  readonly #data: Uint32Array;

  constructor(data: Uint32Array) {
    this.#data = data;
  }

  /** Executes anything but a return. @returns how far to jump beyond the next instruction; undefined: the program ends with 0 */
  step({ code, jt, jf, k }: Instruction): number | undefined {
    switch (code & op.CLASS_MASK) {
      case op.BPF_LD:
        this.a = this.#load(code, k);
        return 0;
      case op.BPF_LDX:
        this.x = this.#load(code, k);
        return 0;
      case op.BPF_ST:
        this.#memory[k] = this.a;
        return 0;
      case op.BPF_STX:
        this.#memory[k] = this.x;
        return 0;
      case op.BPF_ALU:
        return this.#alu(code, k);
      case op.BPF_JMP:
        return (code & op.OPERATION_MASK) === op.BPF_JA ? k : this.#compare(code, k) ? jt : jf;
      default:
        if ((code & 0xf8) === op.BPF_TXA) this.a = this.x;
        else this.x = this.a;
        return 0;
    }
  }

  #load(code: number, k: number): number {
    switch (code & 0xe0) {
      case op.BPF_ABS:
        return this.#data[k / 4] as number;
      case op.BPF_MEM:
        return this.#memory[k] as number;
      case op.BPF_LEN:
        return SECCOMP_DATA_SIZE;
      default:
        return k >>> 0;
    }
  }

  #operand(code: number, k: number): number {
    return (code & op.SOURCE_MASK) === op.BPF_X ? this.x : k >>> 0;
  }

  #alu(code: number, k: number): 0 | undefined {
    const operand = this.#operand(code, k);
    const operation = code & op.OPERATION_MASK;
    if (operation === op.BPF_DIV && operand === 0) return undefined;
    this.a = calculate(operation, this.a, operand) >>> 0;
    return 0;
  }

  #compare(code: number, k: number): boolean {
    const operand = this.#operand(code, k);
    switch (code & op.OPERATION_MASK) {
      case op.BPF_JEQ:
        return this.a === operand;
      case op.BPF_JGT:
        return this.a > operand;
      case op.BPF_JGE:
        return this.a >= operand;
      default:
        return (this.a & operand) !== 0;
    }
  }
}

function calculate(operation: number, a: number, operand: number): number {
  switch (operation) {
    case op.BPF_ADD:
      return a + operand;
    case op.BPF_SUB:
      return a - operand;
    case op.BPF_MUL:
      return Math.imul(a, operand);
    case op.BPF_DIV:
      return Math.floor(a / operand);
    case op.BPF_OR:
      return a | operand;
    case op.BPF_AND:
      return a & operand;
    case op.BPF_XOR:
      return a ^ operand;
    case op.BPF_LSH:
      return a << (operand & 31);
    case op.BPF_RSH:
      return a >>> (operand & 31);
    default:
      return -a;
  }
}
