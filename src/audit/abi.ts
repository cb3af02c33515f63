import type { Diagrams, Node } from '../decision/diagrams.ts';
import { type Interval, intervalsOf, nodeAt } from '../decision/intervals.ts';
import { PROBE_ANSWERS } from '../decision/probe.ts';
import { RANK_ARCH, RANK_NR } from '../decision/words.ts';
import { ARCHES, type ArchName, X32_SYSCALL_BIT } from '../facts/arches.ts';
import { PROBE_ARGUMENT, PROBE_OPERATION } from '../facts/seccomp.ts';
import { LATEST_RELEASE, largestNumber, syscallNames, syscallNumber } from '../facts/syscalls.ts';
import { halvesOf, isWord, zeroExtended } from './arguments.ts';
import type { Outcomes } from './outcomes.ts';

/** Room for calls that this Selkie does not know and kernels have. */
const UNKNOWN_DISTANCE = 256;

/** What a filter says of the calls of one ABI. */
export class Abi {
  readonly arch: ArchName;
  /** What the ABI's numbers lead to: `from`, ascending. */
  readonly intervals: readonly Interval[];
  readonly #space: Diagrams;
  readonly #outcomes: Outcomes;
  readonly #plain = new Map<Node, Node>();

  constructor(space: Diagrams, outcomes: Outcomes, root: Node, arch: ArchName) {
    this.#space = space;
    this.#outcomes = outcomes;
    this.arch = arch;
    const numbers = intervalsOf(
      space,
      RANK_NR,
      nodeAt(intervalsOf(space, RANK_ARCH, root) as Interval[], ARCHES[arch].token),
    );
    this.intervals = ownHalf(numbers as readonly Interval[], arch);
  }

  /** Calls of the ABI, sorted by name. */
  get names(): readonly string[] {
    return syscallNames(this.arch);
  }

  /** What a number leads to; high words of 32-bit ABIs are taken for 0, and Selkie's own probe call is left out. */
  at(nr: number): Node {
    const node = this.#withoutProbe(nr, nodeAt(this.intervals, nr));
    if (ARCHES[this.arch].bits === 64 || this.arch === 'x32') return node;
    const known = this.#plain.get(node) ?? zeroExtended(this.#space, node, this.arch);
    this.#plain.set(node, known);
    return known;
  }

  /** What a call leads to; undefined where the ABI has none of that name. */
  of(name: string): Node | undefined {
    const nr = syscallNumber(this.arch, name);
    return nr === undefined ? undefined : this.at(nr);
  }

  /** What a call gets that no kernel has yet. */
  get beyond(): Node {
    return this.at(largestNumber(this.arch, LATEST_RELEASE) + UNKNOWN_DISTANCE);
  }

  #withoutProbe(nr: number, node: Node): Node {
    if (nr !== syscallNumber(this.arch, 'seccomp')) return node;
    if (!this.#outcomes.of(node).some((action) => PROBE_ANSWERS.includes(action))) return node;
    const [operation, flags] = [halvesOf(this.arch, 0).low, halvesOf(this.arch, 1).low];
    const isProbe = this.#space.and(
      isWord(this.#space, operation, PROBE_OPERATION),
      isWord(this.#space, flags, PROBE_ARGUMENT),
    );
    return this.#space.restrict(node, this.#space.not(isProbe));
  }
}

/** x86_64 has the numbers below the x32 bit, x32 those from it on. */
function ownHalf(intervals: readonly Interval[], arch: ArchName): readonly Interval[] {
  if (arch === 'x86_64') return intervals.filter(({ from }) => from < X32_SYSCALL_BIT);
  if (arch !== 'x32') return intervals;
  const upper = intervals.filter(({ from }) => from > X32_SYSCALL_BIT);
  return [{ from: X32_SYSCALL_BIT, node: nodeAt(intervals, X32_SYSCALL_BIT) }, ...upper];
}
