import type { Instruction, Program } from '../bpf/instruction.ts';
import * as op from '../bpf/opcode.ts';
import { SECCOMP_DATA_SIZE, SECCOMP_RET_KILL_THREAD } from '../facts/seccomp.ts';
import { CannotTellError } from './cannot-tell.ts';
import { type Diagrams, FALSE, type Node, TRUE } from './diagrams.ts';
import { A, liveRegisters, M0, X } from './live-registers.ts';
import { type Vector, Vectors } from './vectors.ts';

/**
 * The exact meaning of a program: it is executed once for all calls at the same time, registers holding functions of the call. Jumps
 * only go forward, so one pass down the program finds with what registers each instruction is reached, and one pass up makes the diagrams.
 */

/** Most pairs of an instruction and what its registers hold. */
const MOST_STATES = 1 << 16;
const MOST_RETURNS = 4096;

/** An instruction with what the registers hold that matter from there on. */
interface State {
  readonly pc: number;
  readonly registers: readonly (Vector | undefined)[];
  /** A return; then `yes` is where the condition holds, `no` where it does not. */
  result: Node | undefined;
  condition: Node;
  yes: State | undefined;
  no: State | undefined;
}

/**
 * @param program - as the kernel's checker accepts it
 * @returns the diagram whose leaves are what the program returns
 * @throws {CannotTellError} when it takes more than the limits of the space
 */
export function diagramOfProgram(space: Diagrams, program: Program): Node {
  return new Execution(space, program).run();
}

class Execution {
  readonly #space: Diagrams;
  readonly #program: Program;
  readonly #vectors: Vectors;
  readonly #live: readonly number[];
  readonly #states: Map<string, State>[];
  readonly #comparisons = new Map<string, Node>();
  #stateCount = 0;

  constructor(space: Diagrams, program: Program) {
    this.#space = space;
    this.#program = program;
    this.#vectors = new Vectors(space);
    this.#live = liveRegisters(program);
    this.#states = program.map(() => new Map());
  }

  run(): Node {
    const zero = this.#vectors.constant(0);
    const start = this.#arrive(0, new Array(M0 + op.BPF_MEMWORDS).fill(zero));
    for (let pc = 0; pc < this.#program.length; pc += 1)
      for (const state of this.#at(pc).values()) this.#step(state, this.#program[pc] as Instruction);
    for (let pc = this.#program.length - 1; pc >= 0; pc -= 1)
      for (const state of this.#at(pc).values())
        state.result ??= this.#space.choose(state.condition, resultOf(state.yes), resultOf(state.no ?? state.yes));
    return resultOf(start);
  }

  #at(pc: number): Map<string, State> {
    return this.#states[pc] as Map<string, State>;
  }

  #arrive(pc: number, registers: readonly (Vector | undefined)[]): State {
    const live = this.#live[pc] as number;
    const kept = registers.map((vector, register) => ((live >>> register) & 1 ? vector : undefined));
    const key = kept.map((vector) => vector?.id ?? '').join();
    const known = this.#at(pc).get(key);
    if (known) return known;
    this.#stateCount += 1;
    if (this.#stateCount > MOST_STATES)
      throw new CannotTellError(
        `instruction ${pc} and others are reached with more than ${MOST_STATES} different values`,
      );
    const state = { pc, registers: kept, result: undefined, condition: TRUE, yes: undefined, no: undefined };
    this.#at(pc).set(key, state);
    return state;
  }

  #step(state: State, instruction: Instruction): void {
    const kind = instruction.code & op.CLASS_MASK;
    if (kind === op.BPF_RET) state.result = this.#returned(state, instruction);
    else if (kind === op.BPF_JMP) this.#jump(state, instruction);
    else this.#continue(state, instruction);
  }

  #register(state: State, register: number): Vector {
    return state.registers[register] ?? this.#vectors.constant(0);
  }

  #returned(state: State, { code, k }: Instruction): Node {
    return (code & RETURN_SOURCE_MASK) === op.BPF_A ? this.#leaves(this.#register(state, A)) : this.#space.leaf(k);
  }

  /** The diagram of a value as leaves. */
  #leaves(value: Vector): Node {
    let count = 0;
    const walk = (bit: number, sofar: number, where: Node): Node => {
      if (bit < 0) {
        count += 1;
        if (count > MOST_RETURNS) throw new CannotTellError(`it returns more than ${MOST_RETURNS} different values`);
        return this.#space.leaf(sofar);
      }
      const here = value.bits[bit] as Node;
      const set = this.#space.and(where, here);
      if (set === FALSE) return walk(bit - 1, sofar, where);
      if (set === where) return walk(bit - 1, (sofar | (1 << bit)) >>> 0, where);
      const high = walk(bit - 1, (sofar | (1 << bit)) >>> 0, set);
      return this.#space.choose(here, high, walk(bit - 1, sofar, this.#space.and(where, this.#space.not(here))));
    };
    return walk(31, 0, TRUE);
  }

  #jump(state: State, { code, jt, jf, k }: Instruction): void {
    if ((code & op.OPERATION_MASK) === op.BPF_JA) {
      state.yes = this.#arrive(state.pc + 1 + k, state.registers);
      return;
    }
    const operand = this.#operand(state, code, k);
    state.condition = this.#compare(code & op.OPERATION_MASK, this.#register(state, A), operand);
    if (state.condition !== FALSE) state.yes = this.#arrive(state.pc + 1 + jt, state.registers);
    if (state.condition !== TRUE) state.no = this.#arrive(state.pc + 1 + jf, state.registers);
    state.yes ??= state.no;
  }

  #operand(state: State, code: number, k: number): Vector {
    return (code & op.SOURCE_MASK) === op.BPF_X ? this.#register(state, X) : this.#vectors.constant(k);
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
    if (operation === op.BPF_JEQ) return this.#vectors.equal(a, b);
    if (operation === op.BPF_JGT) return this.#vectors.greater(a, b);
    return operation === op.BPF_JGE ? this.#vectors.atLeast(a, b) : this.#vectors.meets(a, b);
  }

  #continue(state: State, instruction: Instruction): void {
    const registers = [...state.registers];
    const [target, value] = this.#assignment(state, instruction);
    registers[target] = value;
    state.yes = this.#arrive(state.pc + 1, registers);
    const { code, k } = instruction;
    if ((code & op.CLASS_MASK) !== op.BPF_ALU || (code & op.OPERATION_MASK) !== op.BPF_DIV) return;
    // Division by zero ends the program with 0 (kernel/bpf/core.c via net/core/filter.c).
    state.condition = this.#compare(op.BPF_JGT, this.#operand(state, code, k), this.#vectors.constant(0));
    if (state.condition === TRUE) return;
    state.no = { ...state, result: this.#space.leaf(SECCOMP_RET_KILL_THREAD) };
  }

  /** Which register an instruction sets, and to what. */
  #assignment(state: State, { code, k }: Instruction): readonly [number, Vector] {
    switch (code & op.CLASS_MASK) {
      case op.BPF_LD:
        return [A, this.#load(state, code, k)];
      case op.BPF_LDX:
        return [X, this.#load(state, code, k)];
      case op.BPF_ST:
        return [M0 + k, this.#register(state, A)];
      case op.BPF_STX:
        return [M0 + k, this.#register(state, X)];
      case op.BPF_ALU:
        return [A, this.#alu(code & op.OPERATION_MASK, this.#register(state, A), this.#operand(state, code, k))];
      default:
        return (code & TRANSFER_MASK) === op.BPF_TXA ? [A, this.#register(state, X)] : [X, this.#register(state, A)];
    }
  }

  #load(state: State, code: number, k: number): Vector {
    const mode = code & MODE_MASK;
    if (mode === op.BPF_ABS) return this.#vectors.word(k);
    if (mode === op.BPF_MEM) return this.#register(state, M0 + k);
    return this.#vectors.constant(mode === op.BPF_LEN ? SECCOMP_DATA_SIZE : k);
  }

  #alu(operation: number, a: Vector, b: Vector): Vector {
    const vectors = this.#vectors;
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

// Bits of the code that tell what is returned (3-4), how a load addresses (5-7), which transfer it is (3-7).
const RETURN_SOURCE_MASK = 0x18;
const MODE_MASK = 0xe0;
const TRANSFER_MASK = 0xf8;

function resultOf(state: State | undefined): Node {
  return state?.result as Node;
}
