import { type Diagrams, type Node, TRUE } from '../diagrams.ts';
import { valueRank, WORD_BITS } from '../words.ts';

/** 64-bit values as one: the two words of an argument or of the instruction pointer, bit 63 first. */
const VALUE_BITS: number = 2 * WORD_BITS;

/** Values from `from` to `to`, both included; of masked values those that have no bit outside the mask. */
export interface ValueRange {
  readonly from: bigint;
  readonly to: bigint;
}

/** The bit of its value that a diagram looks at first. */
export function valueBit(space: Diagrams, node: Node): number {
  return VALUE_BITS - 1 - (space.variable(node) % VALUE_BITS);
}

/** The bits of one value that a diagram looks at. */
export function valueSupport(space: Diagrams, node: Node): bigint {
  const rank = valueRank(space.rank(node));
  return space
    .reachable(node, (at) => valueRank(space.rank(at)) === rank)
    .reduce((bits, at) => bits | (1n << BigInt(valueBit(space, at))), 0n);
}

/**
 * The ranges of a value for which a boolean diagram, which looks at nothing else, is TRUE.
 *
 * @param mask - bits that the diagram may look at; of the others all values are taken to be 0
 * @param most - undefined is returned where there are more ranges than this
 */
export function valueRanges(
  space: Diagrams,
  node: Node,
  mask: bigint,
  most: number,
): readonly ValueRange[] | undefined {
  const starts: { from: bigint; node: Node }[] = [];
  const walk = (at: Node, bit: number, from: bigint): boolean => {
    space.count();
    if (space.isLeaf(at)) {
      if (starts.at(-1)?.node !== at) starts.push({ from, node: at });
      return starts.length <= 2 * most + 1;
    }
    if (((mask >> BigInt(bit)) & 1n) === 0n) return walk(at, bit - 1, from);
    const isTested = valueBit(space, at) === bit;
    const [low, high] = isTested ? [space.low(at), space.high(at)] : [at, at];
    return walk(low, bit - 1, from) && walk(high, bit - 1, from + (1n << BigInt(bit)));
  };
  if (!walk(node, VALUE_BITS - 1, 0n)) return undefined;
  return starts.flatMap(({ from, node: at }, index) =>
    at === TRUE ? [{ from, to: ((starts[index + 1]?.from ?? mask + 1n) - 1n) & mask }] : [],
  );
}
