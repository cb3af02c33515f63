import { CannotTellError } from './cannot-tell.ts';
import type { Diagrams, Node } from './diagrams.ts';
import { variableOf, WORD_BITS } from './words.ts';

/** Values of a word from `from` (to the next interval's, or 2^32 - 1) lead to `node`. */
export interface Interval {
  readonly from: number;
  readonly node: Node;
}

/** Most ranges of a word's values that are listed; a program can have as many tests as the kernel takes, and a table of 10^4 numbers. */
const MOST_INTERVALS = 1 << 16;

/** The diagram of a word's intervals, sorted by `from`, the first from 0; their nodes look at later words only. */
export function diagramOfIntervals(space: Diagrams, rank: number, intervals: readonly Interval[]): Node {
  const build = (bit: number, from: number, first: number, end: number): Node => {
    if (end - first === 1) return (intervals[first] as Interval).node;
    const middle = from + 2 ** bit;
    let split = first + 1;
    while (split < end && (intervals[split] as Interval).from < middle) split += 1;
    const startsThere = intervals[split]?.from === middle && split < end;
    const low = build(bit - 1, from, first, split);
    const high = build(bit - 1, middle, startsThere ? split : split - 1, end);
    return space.make(variableOf(rank, bit), low, high);
  };
  return build(WORD_BITS - 1, 0, 0, intervals.length);
}

/**
 * The other way round: what the values of a word lead to, neighbours being different.
 *
 * @throws {CannotTellError} where nobody could list them
 * @param most - undefined is returned where there are more intervals than this
 * @param mask - bits that the diagram may look at; of the others all values are taken to be 0
 */
export function intervalsOf(
  space: Diagrams,
  rank: number,
  node: Node,
  most: number = Number.POSITIVE_INFINITY,
  mask = 0xffff_ffff,
): Interval[] | undefined {
  const intervals: Interval[] = [];
  const walk = (at: Node, bit: number, from: number): boolean => {
    space.count();
    if (space.rank(at) !== rank) {
      if (intervals.at(-1)?.node !== at) intervals.push({ from, node: at });
      if (intervals.length > MOST_INTERVALS)
        throw new CannotTellError(`it tells more than ${MOST_INTERVALS} ranges of one word's values apart`);
      return intervals.length <= most;
    }
    if (((mask >>> bit) & 1) === 0) return walk(at, bit - 1, from);
    const isTested = space.variable(at) === variableOf(rank, bit);
    const [low, high] = isTested ? [space.low(at), space.high(at)] : [at, at];
    return walk(low, bit - 1, from) && walk(high, bit - 1, from + 2 ** bit);
  };
  return walk(node, WORD_BITS - 1, 0) ? intervals : undefined;
}

/** What a value of a word leads to; intervals as `intervalsOf` gives them. */
export function nodeAt(intervals: readonly Interval[], value: number): Node {
  return (intervals.findLast(({ from }) => from <= value) as Interval).node;
}
