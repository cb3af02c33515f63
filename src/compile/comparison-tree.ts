import { ALL_BITS, type Decision, type Decisions, type MaskedWord } from './decision.ts';

/** Values from `from` (to the next range's, or the largest) lead to `decision`. */
export interface Range {
  readonly from: number;
  readonly decision: Decision;
  /** How often values of the range are asked for, in proportion to the others. */
  readonly weight: number;
}

/** What an instruction more in the program costs, in executed instructions of a mean call. */
const INSTRUCTION_COST = 0.03;
/** Beyond this many ranges the tree is split at the middle of the weight first: the search is cubic. */
const MOST_SEARCHED = 120;
/** Longest row of equality tests. */
const MOST_EXCEPTIONS = 8;

/**
 * A tree of comparisons of one word that finds the range of its value: among those made of "at least" at range starts, with rows of equality
 * tests where single values differ from what lies around them, the one of least mean length and size.
 *
 * @param ranges - sorted by `from`, the first from 0, neighbours different
 */
export function comparisonTree(decisions: Decisions, word: MaskedWord, ranges: readonly Range[]): Decision {
  if (ranges.length > MOST_SEARCHED) return splitAtMiddle(decisions, word, ranges);
  return new Search(decisions, word, ranges).tree(0, ranges.length - 1);
}

function splitAtMiddle(decisions: Decisions, word: MaskedWord, ranges: readonly Range[]): Decision {
  const total = ranges.reduce((sum, { weight }) => sum + weight, 0);
  let sum = 0;
  let middle = ranges.findIndex(({ weight }) => {
    sum += weight;
    return 2 * sum >= total;
  });
  middle = Math.min(Math.max(middle, MOST_EXCEPTIONS), ranges.length - MOST_EXCEPTIONS);
  const below = comparisonTree(decisions, word, ranges.slice(0, middle));
  const above = comparisonTree(decisions, word, ranges.slice(middle));
  return decisions.test(word, '>=', (ranges[middle] as Range).from, above, below);
}

class Search {
  readonly #decisions: Decisions;
  readonly #word: MaskedWord;
  readonly #ranges: readonly Range[];
  readonly #count: number;
  /** Sums of weights before each range. */
  readonly #sums: readonly number[];
  /** By first * count + last: least cost, and the range at which to split; 0: a row of equality tests. */
  readonly #costs: Float64Array;
  readonly #splits: Uint16Array;
  readonly #total: number;

  constructor(decisions: Decisions, word: MaskedWord, ranges: readonly Range[]) {
    this.#decisions = decisions;
    this.#word = word;
    this.#ranges = ranges;
    this.#count = ranges.length;
    let sum = 0;
    this.#sums = [0, ...ranges.map(({ weight }) => (sum += weight))];
    this.#total = sum;
    this.#costs = new Float64Array(this.#count * this.#count);
    this.#splits = new Uint16Array(this.#count * this.#count);
    for (let length = 2; length <= this.#count; length += 1)
      for (let first = 0; first + length <= this.#count; first += 1) this.#decide(first, first + length - 1);
  }

  #decide(first: number, last: number): void {
    const costs = this.#costs;
    const count = this.#count;
    const weight = (this.#sums[last + 1] as number) - (this.#sums[first] as number);
    let best = this.#exceptionsCost(first, last);
    let split = 0;
    const own = weight + INSTRUCTION_COST * this.#total;
    for (let middle = first + 1; middle <= last; middle += 1) {
      const cost = own + (costs[first * count + middle - 1] as number) + (costs[middle * count + last] as number);
      if (cost >= best) continue;
      best = cost;
      split = middle;
    }
    costs[first * count + last] = best;
    this.#splits[first * count + last] = split;
  }

  /** The single values in the ranges from `first` to `last` that differ from one common rest, heaviest first; undefined: not so. */
  #exceptions(first: number, last: number): readonly Range[] | undefined {
    const rows = [first, first + 1].map((restAt) => this.#exceptionsBut(first, last, restAt));
    const [one, other] = rows;
    return one && other ? (other.length < one.length ? other : one) : (one ?? other);
  }

  #exceptionsBut(first: number, last: number, restAt: number): readonly Range[] | undefined {
    const rest = (this.#ranges[restAt] as Range).decision;
    const exceptions: Range[] = [];
    for (let at = first; at <= last; at += 1) {
      const range = this.#ranges[at] as Range;
      if (range.decision === rest) continue;
      if (!this.#isSingle(at)) return undefined;
      exceptions.push(range);
    }
    return exceptions.sort((a, b) => b.weight - a.weight || a.from - b.from);
  }

  #isSingle(at: number): boolean {
    const next = this.#ranges[at + 1]?.from ?? ALL_BITS + 1;
    return next - (this.#ranges[at] as Range).from === 1;
  }

  #exceptionsCost(first: number, last: number): number {
    if (last - first > 2 * MOST_EXCEPTIONS) return Number.POSITIVE_INFINITY;
    const exceptions = this.#exceptions(first, last);
    if (!exceptions || exceptions.length > MOST_EXCEPTIONS) return Number.POSITIVE_INFINITY;
    let left = (this.#sums[last + 1] as number) - (this.#sums[first] as number);
    let cost = exceptions.length * INSTRUCTION_COST * this.#total;
    for (const { weight } of exceptions) {
      cost += left;
      left -= weight;
    }
    return cost;
  }

  tree(first: number, last: number): Decision {
    if (first === last) return (this.#ranges[first] as Range).decision;
    const split = this.#splits[first * this.#count + last] as number;
    if (split === 0) return this.#row(first, last);
    const below = this.tree(first, split - 1);
    const above = this.tree(split, last);
    return this.#decisions.test(this.#word, '>=', (this.#ranges[split] as Range).from, above, below);
  }

  #row(first: number, last: number): Decision {
    const exceptions = this.#exceptions(first, last) ?? [];
    const rest = this.#ranges.slice(first, last + 1).find((range) => !exceptions.includes(range)) as Range;
    return exceptions.reduceRight(
      (otherwise: Decision, { from, decision }) => this.#decisions.test(this.#word, '==', from, decision, otherwise),
      rest.decision,
    );
  }
}
