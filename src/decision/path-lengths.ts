import type { Instruction, Program } from '../bpf/instruction.ts';
import * as op from '../bpf/opcode.ts';
import { OFFSET_ARCH, OFFSET_NR } from '../facts/seccomp.ts';
import { CannotTellError } from './cannot-tell.ts';
import { type Diagrams, FALSE, type Node, TRUE } from './diagrams.ts';
import { liveRegisters } from './live-registers.ts';
import { type Registers, SymbolicMachine } from './machine.ts';

/** Most pairs of an instruction and what its registers hold. */
const MOST_STATES = 1 << 14;

/** Numbers of instructions that were executed, and the calls that executed so many. */
type Lengths = Map<number, Node>;

interface State {
  readonly registers: Registers;
  readonly arrivals: Lengths;
}

/**
 * How many instructions a program executes for the calls of one number: every number that occurs, with the arguments for which it does. Ways
 * that no call can take are not counted, so the largest is the exact worst case.
 *
 * @param program - as the kernel's checker accepts it
 * @param call - AUDIT_ARCH_* token and number
 * @param among - the arguments that can occur; all where left out
 * @throws {CannotTellError}
 */
export function pathLengths(
  space: Diagrams,
  program: Program,
  call: { readonly arch: number; readonly nr: number },
  among: Node = TRUE,
): ReadonlyMap<number, Node> {
  return new PathCounter(space, program, call).run(among);
}

/**
 * The same for programs that are in force together: a call runs all of them, and what it costs is the sum.
 *
 * @throws {CannotTellError}
 */
export function stackLengths(
  space: Diagrams,
  stack: readonly Program[],
  call: { readonly arch: number; readonly nr: number },
  among: Node = TRUE,
): ReadonlyMap<number, Node> {
  return stack.reduce<ReadonlyMap<number, Node>>(
    (sums, program) => {
      const added: Lengths = new Map();
      for (const [sum, where] of sums)
        for (const [length, here] of pathLengths(space, program, call, where))
          added.set(sum + length, space.or(added.get(sum + length) ?? FALSE, here));
      return added;
    },
    new Map([[0, among]]),
  );
}

class PathCounter {
  readonly #space: Diagrams;
  readonly #program: Program;
  readonly #machine: SymbolicMachine;
  readonly #live: readonly number[];
  readonly #states = new Map<number, Map<string, State>>();
  readonly #found: Lengths = new Map();
  #stateCount = 0;

  constructor(space: Diagrams, program: Program, { arch, nr }: { readonly arch: number; readonly nr: number }) {
    this.#space = space;
    this.#program = program;
    this.#live = liveRegisters(program);
    const fixed = new Map([
      [OFFSET_ARCH, arch],
      [OFFSET_NR, nr],
    ]);
    this.#machine = new SymbolicMachine(space, fixed);
  }

  run(among: Node): Lengths {
    this.#arrive(0, this.#machine.start(), new Map([[0, among]]), TRUE);
    // Jumps only go forward: what is reached later stands further down.
    for (let pc = 0; pc < this.#program.length; pc += 1) {
      for (const state of this.#states.get(pc)?.values() ?? []) this.#step(pc, state);
      this.#states.delete(pc);
    }
    return this.#found;
  }

  #step(pc: number, { registers, arrivals }: State): void {
    const instruction = this.#program[pc] as Instruction;
    const after = new Map([...arrivals].map(([length, where]) => [length + 1, where]));
    const kind = instruction.code & op.CLASS_MASK;
    if (kind === op.BPF_RET) this.#end(after, TRUE);
    else if (kind === op.BPF_JMP) this.#jump(pc, registers, after, instruction);
    else {
      const continues = this.#machine.continues(registers, instruction) ?? TRUE;
      this.#end(after, this.#space.not(continues));
      this.#arrive(pc + 1, this.#machine.after(registers, instruction, this.#live[pc + 1] as number), after, continues);
    }
  }

  #jump(pc: number, registers: Registers, after: Lengths, instruction: Instruction): void {
    const { code, jt, jf, k } = instruction;
    if ((code & op.OPERATION_MASK) === op.BPF_JA) {
      this.#arrive(pc + 1 + k, registers, after, TRUE);
      return;
    }
    const condition = this.#machine.condition(registers, instruction);
    this.#arrive(pc + 1 + jt, registers, after, condition);
    this.#arrive(pc + 1 + jf, registers, after, this.#space.not(condition));
  }

  #end(lengths: Lengths, condition: Node): void {
    this.#add(this.#found, lengths, condition);
  }

  #arrive(pc: number, registers: Registers, lengths: Lengths, condition: Node): void {
    if (condition === FALSE) return;
    const live = this.#live[pc] as number;
    const kept = registers.map((vector, register) => ((live >>> register) & 1 ? vector : undefined));
    const key = kept.map((vector) => vector?.id ?? '').join();
    const here = this.#states.get(pc) ?? new Map<string, State>();
    this.#states.set(pc, here);
    const state = here.get(key) ?? this.#newState(pc, kept);
    here.set(key, state);
    this.#add(state.arrivals, lengths, condition);
  }

  #newState(pc: number, registers: Registers): State {
    this.#stateCount += 1;
    if (this.#stateCount > MOST_STATES)
      throw new CannotTellError(
        `instruction ${pc} and others are reached with more than ${MOST_STATES} different values`,
      );
    return { registers, arrivals: new Map() };
  }

  #add(to: Lengths, lengths: Lengths, condition: Node): void {
    for (const [length, where] of lengths) {
      const here = this.#space.and(where, condition);
      if (here !== FALSE) to.set(length, this.#space.or(to.get(length) ?? FALSE, here));
    }
  }
}
