import { ProgramError } from '../base/errors.ts';
import type { Instruction, Program } from '../bpf/instruction.ts';
import {
  BPF_ABS,
  BPF_ALU,
  BPF_AND,
  BPF_JA,
  BPF_JEQ,
  BPF_JGE,
  BPF_JMP,
  BPF_JSET,
  BPF_K,
  BPF_LD,
  BPF_RET,
  BPF_W,
} from '../bpf/opcode.ts';
import { BPF_MAXINSNS } from '../facts/seccomp.ts';
import { ALL_BITS, type Decision, type WordOperator, type WordTest } from './decision.ts';

/** The position of a `ret` that is not written yet: out of reach of every jump. */
const NOWHERE = Number.NEGATIVE_INFINITY;
/** jt and jf have 8 bits. */
const LONGEST_JUMP = 255;
const JUMPS: Readonly<Record<WordOperator, number>> = { '==': BPF_JEQ, '>=': BPF_JGE, '&': BPF_JSET };

/**
 * Lays a decision out as a program. It is written from its end to its start, so that every jump goes to code that already has its place: a jump
 * that would be longer than 8 bits gets a `ja` (or a second `ret`) of its own on the way.
 *
 * A test begins by loading its word, and by masking it. Ways on which A holds that already enter behind; where all do, it is left out.
 *
 * @throws {ProgramError} `program_too_long` beyond BPF_MAXINSNS
 */
export function layOut(decision: Decision): Program {
  const writer = new BackwardWriter(entriesOf(decision));
  writer.start(decision);
  return writer.finish();
}

/** Where a test is entered, by what A holds: something else, the word, the masked word. */
type Entry = 'load' | 'mask' | 'jump';

/** What A holds on a way from one test to another. */
function entryFrom(from: WordTest, to: WordTest): Entry {
  if (from.offset !== to.offset) return 'load';
  if (from.mask === to.mask) return 'jump';
  return from.mask === ALL_BITS ? 'mask' : 'load';
}

/** How each test is entered by those before it. */
function entriesOf(root: Decision): ReadonlyMap<WordTest, ReadonlySet<Entry>> {
  const entries = new Map<WordTest, Set<Entry>>();
  const arrive = (to: Decision, entry: (to: WordTest) => Entry): void => {
    if (to.kind === 'return') return;
    const known = entries.get(to);
    const found = known ?? new Set();
    found.add(entry(to));
    if (known) return;
    entries.set(to, found);
    for (const next of [to.yes, to.no]) arrive(next, (test) => entryFrom(to, test));
  };
  arrive(root, () => 'load');
  return entries;
}

/** A place in the program, counted from its end; it may move nearer by way of a trampoline. */
interface Spot {
  position: number;
  /** What can stand there again: a `ret` is as short as a jump to it. */
  readonly action?: number;
}

class BackwardWriter {
  readonly #reversed: Instruction[] = [];
  readonly #entries: ReadonlyMap<WordTest, ReadonlySet<Entry>>;
  readonly #tests = new Map<WordTest, Readonly<Record<Entry, Spot>>>();
  readonly #returns = new Map<number, Spot>();

  constructor(entries: ReadonlyMap<WordTest, ReadonlySet<Entry>>) {
    this.#entries = entries;
  }

  start(decision: Decision): void {
    if (decision.kind === 'return') this.#emit({ code: BPF_RET | BPF_K, jt: 0, jf: 0, k: decision.action });
    else this.#spots(decision);
  }

  finish(): Program {
    if (this.#reversed.length > BPF_MAXINSNS) {
      const problem = `Cannot compile: ${this.#reversed.length} instructions, the kernel takes ${BPF_MAXINSNS}`;
      throw new ProgramError('program_too_long', `${problem}: use fewer conditions or fewer arches`);
    }
    return this.#reversed.reverse();
  }

  #emit(instruction: Instruction): void {
    this.#reversed.push(instruction);
  }

  /** The place of the instruction that was written last. */
  #here(): number {
    return this.#reversed.length;
  }

  #spots(test: WordTest): Readonly<Record<Entry, Spot>> {
    const known = this.#tests.get(test);
    if (known) return known;
    const no = this.#target(test, test.no);
    const yes = this.#target(test, test.yes);
    const spots = this.#write(test, yes, no);
    this.#tests.set(test, spots);
    return spots;
  }

  /** Where to go from a test; a `ret` is written where the first jump to it wants it. */
  #target(from: WordTest, to: Decision): Spot {
    if (to.kind === 'word') return this.#spots(to)[entryFrom(from, to)];
    const spot = this.#returns.get(to.action) ?? { position: NOWHERE, action: to.action };
    this.#returns.set(to.action, spot);
    return spot;
  }

  #write(test: WordTest, yes: Spot, no: Spot): Readonly<Record<Entry, Spot>> {
    const entries = this.#entries.get(test) as ReadonlySet<Entry>;
    const jump = this.#jump(JUMPS[test.operator], test.value, yes, no);
    let mask = jump;
    if (test.mask !== ALL_BITS && (entries.has('mask') || entries.has('load'))) {
      this.#emit({ code: BPF_ALU | BPF_AND | BPF_K, jt: 0, jf: 0, k: test.mask });
      mask = { position: this.#here() };
    }
    if (!entries.has('load')) return { jump, mask, load: mask };
    this.#emit({ code: BPF_LD | BPF_W | BPF_ABS, jt: 0, jf: 0, k: test.offset });
    return { jump, mask, load: { position: this.#here() } };
  }

  /** A conditional jump on A. */
  #jump(operation: number, k: number, yes: Spot, no: Spot): Spot {
    this.#bringNear(yes);
    this.#bringNear(no);
    // The second trampoline may have pushed the first target out of reach by one.
    this.#bringNear(yes);
    const here = this.#here();
    this.#emit({ code: BPF_JMP | operation | BPF_K, jt: here - yes.position, jf: here - no.position, k });
    return { position: this.#here() };
  }

  /** Makes sure that the next instruction can reach a spot with 8 bits, leaving room for one more trampoline. */
  #bringNear(spot: Spot): void {
    const distance = this.#here() - spot.position;
    if (distance < LONGEST_JUMP) return;
    if (spot.action !== undefined) this.#emit({ code: BPF_RET | BPF_K, jt: 0, jf: 0, k: spot.action });
    else this.#emit({ code: BPF_JMP | BPF_JA, jt: 0, jf: 0, k: distance });
    spot.position = this.#here();
  }
}
