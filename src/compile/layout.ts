import { ProgramError } from '../base/errors.ts';
import type { Instruction, Program } from '../bpf/instruction.ts';
import {
  BPF_ABS,
  BPF_ALU,
  BPF_AND,
  BPF_JA,
  BPF_JEQ,
  BPF_JGE,
  BPF_JGT,
  BPF_JMP,
  BPF_K,
  BPF_LD,
  BPF_RET,
  BPF_W,
} from '../bpf/opcode.ts';
import { BPF_MAXINSNS, OFFSET_ARCH, OFFSET_NR } from '../facts/seccomp.ts';
import type { Decision, FilterDecision, Interval, TokenDecision, WordOperator, WordTest } from './decision.ts';

/** The position of a `ret` that is not written yet: out of reach of every jump. */
const NOWHERE = Number.NEGATIVE_INFINITY;
/** jt and jf have 8 bits. */
const LONGEST_JUMP = 255;
const ALL_BITS = 0xffff_ffff;
const JUMPS: Readonly<Record<WordOperator, number>> = { '==': BPF_JEQ, '>': BPF_JGT, '>=': BPF_JGE };

/**
 * Lays a decision out as a program. It is written from its end to its start, so that every jump goes to code that already has its place: a jump
 * that would be longer than 8 bits gets a `ja` (or a second `ret`) of its own on the way.
 *
 * Calls that are decided by their number alone meet only `ld arch`, `ld nr`, comparisons and `ret` on their way, which is what the
 * kernel's constant-allow bitmap can follow (kernel/seccomp.c seccomp_is_const_allow).
 *
 * @throws {ProgramError} `program_too_long` beyond BPF_MAXINSNS
 */
export function layOut(decision: FilterDecision): Program {
  const writer = new BackwardWriter();
  let otherwise = writer.decision(decision.badArch);
  for (const token of [...decision.tokens].reverse()) {
    const body = writer.token(token);
    otherwise = writer.jump(BPF_JEQ, token.token, body, otherwise);
  }
  writer.emit({ code: BPF_LD | BPF_W | BPF_ABS, jt: 0, jf: 0, k: OFFSET_ARCH });
  return writer.finish();
}

/** A place in the program, counted from its end; it may move nearer by way of a trampoline. */
interface Spot {
  position: number;
  /** What can stand there again: a `ret` is as short as a jump to it. */
  readonly action?: number;
}

class BackwardWriter {
  readonly #reversed: Instruction[] = [];
  readonly #spots = new Map<Decision, Spot>();

  emit(instruction: Instruction): void {
    this.#reversed.push(instruction);
  }

  /** The place of the instruction that was written last. */
  #here(): number {
    return this.#reversed.length;
  }

  finish(): Program {
    if (this.#reversed.length > BPF_MAXINSNS) {
      const problem = `Cannot compile: ${this.#reversed.length} instructions, the kernel takes ${BPF_MAXINSNS}`;
      throw new ProgramError('program_too_long', `${problem}: use fewer conditions or fewer arches`);
    }
    return this.#reversed.reverse();
  }

  /** A conditional jump on A. */
  jump(operation: number, k: number, yes: Spot, no: Spot): Spot {
    this.#bringNear(yes);
    this.#bringNear(no);
    // The second trampoline may have pushed the first target out of reach by one.
    this.#bringNear(yes);
    const here = this.#here();
    this.emit({ code: BPF_JMP | operation | BPF_K, jt: here - yes.position, jf: here - no.position, k });
    return { position: this.#here() };
  }

  /** Makes sure that the next instruction can reach a spot with 8 bits, leaving room for one more trampoline. */
  #bringNear(spot: Spot): void {
    const distance = this.#here() - spot.position;
    if (distance < LONGEST_JUMP) return;
    if (spot.action !== undefined) this.emit({ code: BPF_RET | BPF_K, jt: 0, jf: 0, k: spot.action });
    else this.emit({ code: BPF_JMP | BPF_JA, jt: 0, jf: 0, k: distance });
    spot.position = this.#here();
  }

  decision(decision: Decision): Spot {
    const known = this.#spots.get(decision);
    if (known) return known;
    const spot = decision.kind === 'return' ? this.#return(decision.action) : this.#test(decision);
    this.#spots.set(decision, spot);
    return spot;
  }

  /** Written where the first jump to it wants it. */
  #return(action: number): Spot {
    return { position: NOWHERE, action };
  }

  #test(test: WordTest): Spot {
    const no = this.decision(test.no);
    const yes = this.decision(test.yes);
    this.jump(JUMPS[test.operator], test.value, yes, no);
    if (test.mask !== ALL_BITS) this.emit({ code: BPF_ALU | BPF_AND | BPF_K, jt: 0, jf: 0, k: test.mask });
    this.emit({ code: BPF_LD | BPF_W | BPF_ABS, jt: 0, jf: 0, k: test.offset });
    return { position: this.#here() };
  }

  /** Everything for one AUDIT_ARCH token: loads the number, then finds its interval. */
  token({ intervals }: TokenDecision): Spot {
    const only = intervals[0];
    if (only && intervals.length === 1) return this.decision(only.decision);
    for (const { decision } of intervals) this.decision(decision);
    this.#tree(intervals);
    this.emit({ code: BPF_LD | BPF_W | BPF_ABS, jt: 0, jf: 0, k: OFFSET_NR });
    return { position: this.#here() };
  }

  /** A balanced tree over the intervals; A holds the number all the way. */
  #tree(intervals: readonly Interval[]): Spot {
    const only = intervals[0] as Interval;
    if (intervals.length === 1) return this.decision(only.decision);
    const middle = intervals.length >> 1;
    const no = this.#tree(intervals.slice(0, middle));
    const yes = this.#tree(intervals.slice(middle));
    return this.jump(BPF_JGE, (intervals[middle] as Interval).from, yes, no);
  }
}
