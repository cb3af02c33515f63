import type { Instruction, Program } from '../bpf/instruction.ts';
import * as op from '../bpf/opcode.ts';
import { SECCOMP_RET_KILL_THREAD } from '../facts/seccomp.ts';
import { CannotTellError } from './cannot-tell.ts';
import { type Diagrams, FALSE, type Node, TRUE } from './diagrams.ts';
import { A, liveRegisters } from './live-registers.ts';
import { type Registers, SymbolicMachine } from './machine.ts';
import { diagramOfValue } from './returned-value.ts';
import type { Vector } from './vectors.ts';

/**
 * The exact meaning of a program: it is executed once for all calls at the same time, registers holding functions of the call. Jumps
 * only go forward, so one pass down the program finds with what registers each instruction is reached, and one pass up makes the diagrams.
 */

/** Most pairs of an instruction and what its registers hold. */
const MOST_STATES = 1 << 16;

/** An instruction with what the registers hold that matter from there on. */
interface State {
  readonly pc: number;
  readonly registers: Registers;
  /** A return; then `yes` is where the condition holds, `no` where it does not. */
  result: Node | undefined;
  condition: Node;
  yes: State | undefined;
  no: State | undefined;
}

/**
 * @param program - as the kernel's checker accepts it
 * @returns the diagram whose leaves are what the program returns, in the way of `diagramOfValue`
 * @throws {CannotTellError} when it takes more than the limits of the space
 */
export function diagramOfProgram(space: Diagrams, program: Program): Node {
  return new Execution(space, program).run();
}

class Execution {
  readonly #space: Diagrams;
  readonly #program: Program;
  readonly #machine: SymbolicMachine;
  readonly #live: readonly number[];
  readonly #states: Map<string, State>[];
  readonly #values = new Map<Vector, Node>();
  #stateCount = 0;

  constructor(space: Diagrams, program: Program) {
    this.#space = space;
    this.#program = program;
    this.#machine = new SymbolicMachine(space);
    this.#live = liveRegisters(program);
    this.#states = program.map(() => new Map());
  }

  run(): Node {
    const start = this.#arrive(0, this.#machine.start());
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

  #arrive(pc: number, registers: Registers): State {
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

  #returned(state: State, { code, k }: Instruction): Node {
    return (code & RETURN_SOURCE_MASK) === op.BPF_A
      ? this.#value(this.#machine.register(state.registers, A))
      : this.#space.leaf(k);
  }

  #value(vector: Vector): Node {
    const known = this.#values.get(vector);
    const made = known ?? diagramOfValue(this.#space, this.#machine.vectors, vector);
    this.#values.set(vector, made);
    return made;
  }

  #jump(state: State, instruction: Instruction): void {
    const { code, jt, jf, k } = instruction;
    if ((code & op.OPERATION_MASK) === op.BPF_JA) {
      state.yes = this.#arrive(state.pc + 1 + k, state.registers);
      return;
    }
    state.condition = this.#machine.condition(state.registers, instruction);
    if (state.condition !== FALSE) state.yes = this.#arrive(state.pc + 1 + jt, state.registers);
    if (state.condition !== TRUE) state.no = this.#arrive(state.pc + 1 + jf, state.registers);
    state.yes ??= state.no;
  }

  #continue(state: State, instruction: Instruction): void {
    const live = this.#live[state.pc + 1] as number;
    state.yes = this.#arrive(state.pc + 1, this.#machine.after(state.registers, instruction, live));
    state.condition = this.#machine.continues(state.registers, instruction) ?? TRUE;
    if (state.condition === TRUE) return;
    state.no = { ...state, result: this.#space.leaf(SECCOMP_RET_KILL_THREAD) };
  }
}

/** Bits of the code that tell what is returned. */
const RETURN_SOURCE_MASK = 0x18;

function resultOf(state: State | undefined): Node {
  return state?.result as Node;
}
