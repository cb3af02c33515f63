import type { Diagrams, Node } from '../decision/diagrams.ts';
import { RANK_COUNT, RANK_NR, rankOf, valueOffset, variableOf, WORD_BITS } from '../decision/words.ts';
import { ARCHES, type ArchName } from '../facts/arches.ts';

/** What a diagram says of single words of a call. */

/** The words of an argument as the ABI's machines store them. */
export interface Halves {
  readonly high: number;
  readonly low: number;
}

/** Ranks of the two words of an argument, or of the instruction pointer. */
export function halvesOf(arch: ArchName, argument: number | 'ip'): Halves {
  const offset = valueOffset(argument);
  const [first, second] = [rankOf(offset), rankOf(offset + 4)];
  return ARCHES[arch].littleEndian ? { low: first, high: second } : { low: second, high: first };
}

/** The diagram where a word has a given value. */
export function fix(space: Diagrams, node: Node, rank: number, value: number): Node {
  const known = new Map<Node, Node>();
  const walk = (at: Node): Node => {
    if (space.rank(at) > rank) return at;
    const before = known.get(at);
    if (before !== undefined) return before;
    const result =
      space.rank(at) === rank
        ? walk(along(at))
        : space.make(space.variable(at), walk(space.low(at)), walk(space.high(at)));
    known.set(at, result);
    return result;
  };
  const along = (at: Node): Node => {
    const bit = WORD_BITS - 1 - (space.variable(at) % WORD_BITS);
    return (value >>> bit) & 1 ? space.high(at) : space.low(at);
  };
  return walk(node);
}

/** Where a word has a value. */
export function isWord(space: Diagrams, rank: number, value: number): Node {
  let node = 1;
  for (let bit = 0; bit < WORD_BITS; bit += 1)
    node =
      (value >>> bit) & 1 ? space.make(variableOf(rank, bit), 0, node) : space.make(variableOf(rank, bit), node, 0);
  return node;
}

/** Which bits of a word matter somewhere in a diagram. */
export function testedBits(space: Diagrams, node: Node, rank: number): number {
  let bits = 0;
  for (const at of space.reachable(node, (each) => space.rank(each) <= rank))
    if (space.rank(at) === rank) bits |= 1 << (WORD_BITS - 1 - (space.variable(at) % WORD_BITS));
  return bits >>> 0;
}

/** Registers of 32-bit processes are zero-extended: the high words of arguments and instruction pointer are 0. */
export function zeroExtended(space: Diagrams, node: Node, arch: ArchName): Node {
  const values = ['ip', 0, 1, 2, 3, 4, 5] as const;
  return values.reduce<Node>((result, value) => fix(space, result, halvesOf(arch, value).high, 0), node);
}

/** Whether any argument, or the instruction pointer, matters. */
export function readsArguments(space: Diagrams, node: Node): boolean {
  return space.rank(node) > RANK_NR && space.rank(node) < RANK_COUNT;
}
