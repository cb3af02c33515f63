import type { Diagrams, Node } from '../decision/diagrams.ts';
import { intervalsOf } from '../decision/intervals.ts';
import { offsetOf, variableOf, WORD_BITS } from '../decision/words.ts';
import { comparisonTree } from './comparison-tree.ts';
import { ALL_BITS, type Decision, type Decisions, type WordTest } from './decision.ts';

/** Most intervals of a word that are found by comparisons. */
const MOST_INTERVALS = 40;

/** Steps of work that the search for a tree takes for each interval: it is cubic, and they are few. */
const SEARCH_STEPS = 8;

/** A way to decide a diagram's first word: the instructions it takes, without what comes behind that word. */
interface Way {
  readonly cost: number;
  readonly make: () => Decision;
}

/**
 * Turns diagrams of bits back into tests of words. For each word the cheapest of: comparisons of the word; comparisons of the
 * bits of it that matter; first a test for bits that decide alone when set; first a test of the highest bit that matters.
 */
export class ArgumentTests {
  readonly #space: Diagrams;
  readonly #decisions: Decisions;
  readonly #made = new Map<Node, Decision>();
  readonly #ways = new Map<Node, Way>();

  constructor(space: Diagrams, decisions: Decisions) {
    this.#space = space;
    this.#decisions = decisions;
  }

  decision(node: Node): Decision {
    const known = this.#made.get(node);
    if (known) return known;
    const made = this.#space.isLeaf(node) ? this.#decisions.return(this.#space.action(node)) : this.#wayOf(node).make();
    this.#made.set(node, made);
    return made;
  }

  #wayOf(node: Node): Way {
    const known = this.#ways.get(node);
    if (known) return known;
    const support = this.#support(node);
    const ways = [
      this.#byComparisons(node, ALL_BITS),
      support === ALL_BITS ? undefined : this.#byComparisons(node, support),
    ];
    const best = cheapest([...ways, this.#byBits(node, support)]) ?? this.#byHighestBit(node);
    this.#ways.set(node, best);
    return best;
  }

  /** What a diagram costs in the word of `rank`: nothing once it has left it. */
  #costIn(rank: number, node: Node): number {
    return this.#space.rank(node) === rank ? this.#wayOf(node).cost : 0;
  }

  #byComparisons(node: Node, mask: number): Way | undefined {
    const rank = this.#space.rank(node);
    const intervals = intervalsOf(this.#space, rank, node, MOST_INTERVALS, mask);
    if (!intervals) return undefined;
    const word = { offset: offsetOf(rank), mask };
    this.#space.count(SEARCH_STEPS * intervals.length);
    const ranges = intervals.map(({ from, node: at }) => ({ from, decision: this.decision(at), weight: 1 }));
    const tree = comparisonTree(this.#decisions, word, ranges);
    return { cost: countTests(tree, word.offset) + (mask === ALL_BITS ? 0 : 1), make: () => tree };
  }

  /** Bits that, when set, lead to one and the same place whatever the others are. */
  #byBits(node: Node, support: number): Way | undefined {
    const rank = this.#space.rank(node);
    const bitsByExit = new Map<Node, number>();
    for (let bit = 0; bit < WORD_BITS; bit += 1) {
      if (((support >>> bit) & 1) === 0) continue;
      const exit = this.#exitWhenSet(node, variableOf(rank, bit));
      if (exit !== undefined) bitsByExit.set(exit, ((bitsByExit.get(exit) ?? 0) | (1 << bit)) >>> 0);
    }
    const ways = [...bitsByExit].map(([exit, bits]): Way => {
      const rest = this.#cleared(node, rank, bits);
      const word = { offset: offsetOf(rank), mask: ALL_BITS };
      const make = (): Decision => this.#decisions.test(word, '&', bits, this.decision(exit), this.decision(rest));
      return { cost: 1 + this.#costIn(rank, rest), make };
    });
    return cheapest(ways);
  }

  #byHighestBit(node: Node): Way {
    const space = this.#space;
    const rank = space.rank(node);
    const bit = (1 << (WORD_BITS - 1 - (space.variable(node) % WORD_BITS))) >>> 0;
    const [low, high] = [space.low(node), space.high(node)];
    const word = { offset: offsetOf(rank), mask: ALL_BITS };
    return {
      cost: 1 + this.#costIn(rank, low) + this.#costIn(rank, high),
      make: () => this.#decisions.test(word, '&', bit, this.decision(high), this.decision(low)),
    };
  }

  /** The bits of its first word that a diagram looks at. */
  #support(node: Node): number {
    const rank = this.#space.rank(node);
    let bits = 0;
    for (const at of this.#space.reachable(node, (each) => this.#isCounted(each, rank)))
      bits |= 1 << (WORD_BITS - 1 - (this.#space.variable(at) % WORD_BITS));
    return bits >>> 0;
  }

  /** Is it of the rank? A step of work, so that what nobody could load is given up early. */
  #isCounted(node: Node, rank: number): boolean {
    this.#space.count();
    return this.#space.rank(node) === rank;
  }

  /** Where a diagram leads when a bit of its first word is set, if that is one place. */
  #exitWhenSet(node: Node, variable: number): Node | undefined {
    const space = this.#space;
    const rank = space.rank(node);
    const seen = new Set<Node>();
    let exit: Node | undefined;
    const walk = (at: Node): boolean => {
      if (seen.has(at)) return true;
      seen.add(at);
      if (!this.#isCounted(at, rank)) {
        exit ??= at;
        return exit === at;
      }
      return (space.variable(at) === variable || walk(space.low(at))) && walk(space.high(at));
    };
    return walk(node) ? exit : undefined;
  }

  #cleared(node: Node, rank: number, bits: number): Node {
    const space = this.#space;
    const known = new Map<Node, Node>();
    const walk = (at: Node): Node => {
      if (!this.#isCounted(at, rank)) return at;
      const before = known.get(at);
      if (before !== undefined) return before;
      const variable = space.variable(at);
      const isCleared = ((bits >>> (WORD_BITS - 1 - (variable % WORD_BITS))) & 1) === 1;
      const result = isCleared ? walk(space.low(at)) : space.make(variable, walk(space.low(at)), walk(space.high(at)));
      known.set(at, result);
      return result;
    };
    return walk(node);
  }
}

function cheapest(ways: readonly (Way | undefined)[]): Way | undefined {
  return ways.reduce((best, way) => (way && (!best || way.cost < best.cost) ? way : best), undefined);
}

function countTests(decision: Decision, offset: number): number {
  const seen = new Set<Decision>();
  const walk = (at: Decision): void => {
    if (seen.has(at) || at.kind === 'return' || (at as WordTest).offset !== offset) return;
    seen.add(at);
    walk(at.yes);
    walk(at.no);
  };
  walk(decision);
  return seen.size;
}
