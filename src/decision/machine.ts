import type { Instruction } from '../bpf/instruction.ts';
import * as op from '../bpf/opcode.ts';
import { SECCOMP_DATA_SIZE } from '../facts/seccomp.ts';
import type { Diagrams, Node } from './diagrams.ts';
import { A, M0, written, X } from './live-registers.ts';
import { type Vector, Vectors } from './vectors.ts';

/** What registers hold; undefined where it does not matter any more. */
export type Registers = readonly (Vector | undefined)[];

/** What single instructions do to registers that hold functions of the call. */
export class SymbolicMachine {
  readonly vectors: Vectors;
  readonly #fixed: ReadonlyMap<number, number>;
  readonly #comparisons = new Map<string, Node>();

  /** @param fixed - words of struct seccomp_data that are known, by their byte offset */
  constructor(space: Diagrams, fixed: ReadonlyMap<number, number> = new Map()) {
    this.vectors = new Vectors(space);
    this.#fixed = fixed;
  }

  /** What they hold at the start. */
  start(): Registers {
    return new Array(M0 + op.BPF_MEMWORDS).fill(this.vectors.constant(0));
  }

  register(registers: Registers, register: number): Vector {
    return registers[register] ?? this.vectors.constant(0);
  }

  /** Whether a conditional jump is taken. */
  condition(registers: Registers, { code, k }: Instruction): Node {
    return this.#compare(code & op.OPERATION_MASK, this.register(registers, A), this.#operand(registers, code, k));
  }

  /** Whether a program goes on behind an instruction that is neither jump nor return: division by zero ends it with 0 (net/core/filter.c). */
  continues(registers: Registers, { code, k }: Instruction): Node | undefined {
    if ((code & op.CLASS_MASK) !== op.BPF_ALU || (code & op.OPERATION_MASK) !== op.BPF_DIV) return undefined;
    return this.#compare(op.BPF_JGT, this.#operand(registers, code, k), this.vectors.constant(0));
  }

  /**
   * What registers hold behind such an instruction.
   *
   * @param live - the registers that matter there, as `liveRegisters` gives them: what nobody reads is not calculated
   */
  after(registers: Registers, instruction: Instruction, live: number): Registers {
    if ((written(instruction) & live) === 0) return registers;
    const changed = [...registers];
    const [target, value] = this.#assignment(registers, instruction);
    changed[target] = value;
    return changed;
  }

  #operand(registers: Registers, code: number, k: number): Vector {
    return (code & op.SOURCE_MASK) === op.BPF_X ? this.register(registers, X) : this.vectors.constant(k);
  }

  #compare(operation: number, a: Vector, b: Vector): Node {
    const key = `${operation} ${a.id} ${b.id}`;
    const known = this.#comparisons.get(key);
    if (known !== undefined) return known;
    const made = this.#compareAnew(operation, a, b);
    this.#comparisons.set(key, made);
    return made;
  }

  #compareAnew(operation: number, a: Vector, b: Vector): Node {
    if (operation === op.BPF_JEQ) return this.vectors.equal(a, b);
    if (operation === op.BPF_JGT) return this.vectors.greater(a, b);
    return operation === op.BPF_JGE ? this.vectors.atLeast(a, b) : this.vectors.meets(a, b);
  }

  /** Which register an instruction sets, and to what. */
  #assignment(registers: Registers, { code, k }: Instruction): readonly [number, Vector] {
    switch (code & op.CLASS_MASK) {
      case op.BPF_LD:
        return [A, this.#load(registers, code, k)];
      case op.BPF_LDX:
        return [X, this.#load(registers, code, k)];
      case op.BPF_ST:
        return [M0 + k, this.register(registers, A)];
      case op.BPF_STX:
        return [M0 + k, this.register(registers, X)];
      case op.BPF_ALU:
        return [A, this.#alu(code & op.OPERATION_MASK, this.register(registers, A), this.#operand(registers, code, k))];
      default:
        return (code & TRANSFER_MASK) === op.BPF_TXA
          ? [A, this.register(registers, X)]
          : [X, this.register(registers, A)];
    }
  }

  #load(registers: Registers, code: number, k: number): Vector {
    const mode = code & MODE_MASK;
    if (mode === op.BPF_ABS) {
      const known = this.#fixed.get(k);
      return known === undefined ? this.vectors.word(k) : this.vectors.constant(known);
    }
    if (mode === op.BPF_MEM) return this.register(registers, M0 + k);
    return this.vectors.constant(mode === op.BPF_LEN ? SECCOMP_DATA_SIZE : k);
  }

  #alu(operation: number, a: Vector, b: Vector): Vector {
    const vectors = this.vectors;
    switch (operation) {
      case op.BPF_ADD:
        return vectors.add(a, b);
      case op.BPF_SUB:
        return vectors.subtract(a, b);
      case op.BPF_MUL:
        return vectors.multiply(a, b);
      case op.BPF_DIV:
        return vectors.divide(a, b);
      case op.BPF_OR:
        return vectors.or(a, b);
      case op.BPF_AND:
        return vectors.and(a, b);
      case op.BPF_XOR:
        return vectors.xor(a, b);
      case op.BPF_LSH:
        return vectors.shift(a, b, 'left');
      case op.BPF_RSH:
        return vectors.shift(a, b, 'right');
      default:
        return vectors.negate(a);
    }
  }
}

// Bits of the code that tell how a load addresses (5-7), which transfer it is (3-7).
const MODE_MASK = 0xe0;
const TRANSFER_MASK = 0xf8;
