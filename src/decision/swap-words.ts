import { type Diagrams, FALSE, type Node, TRUE } from './diagrams.ts';
import { RANK_NR, WORD_BITS } from './words.ts';

/** The diagram with the two words of each 64-bit value exchanged: big-endian machines have them the other way round. */
export function swapWords(space: Diagrams, node: Node): Node {
  const known = new Map<Node, Node>();
  const walk = (at: Node): Node => {
    if (space.isLeaf(at)) return at;
    const before = known.get(at);
    if (before !== undefined) return before;
    space.count();
    const [low, high] = [walk(space.low(at)), walk(space.high(at))];
    const variable = space.variable(at);
    const swapped = space.rank(at) <= RANK_NR ? variable : variable ^ WORD_BITS;
    const made = space.choose(space.make(swapped, FALSE, TRUE), high, low);
    known.set(at, made);
    return made;
  };
  return walk(node);
}
