import type { ArchName } from '../../facts/arches.ts';
import { type Diagrams, FALSE, type Node, TRUE } from '../diagrams.ts';
import { argumentAt, valueRank } from '../words.ts';
import { ValueField } from './field.ts';
import { join, negated, shortest, type Words, wordsOfSet } from './value-sets.ts';

/** Most tests of one condition: beyond that nobody reads it. */
const MOST_TESTS = 40;

/**
 * Words for the calls for which a boolean diagram on arguments is TRUE, in the policy language. Exact; found argument by argument, what is true for
 * more calls than needed being taken where it is shorter and another alternative says the same.
 *
 * @param call - its name, absent for numbers that no table has
 * @returns undefined where it would take more than 40 tests, or too much work to find them
 */
export function wordsOf(space: Diagrams, node: Node, arch: ArchName, call: string | undefined): Words | undefined {
  return space.attempt(() => {
    const writer = new ConditionWriter(space, arch, call);
    const positive = writer.words(node);
    const negative = writer.words(space.not(node));
    return shortest([positive, negative && negated(negative)]);
  });
}

class ConditionWriter {
  readonly #space: Diagrams;
  readonly #arch: ArchName;
  readonly #call: string | undefined;
  readonly #known = new Map<Node, Words | undefined>();

  constructor(space: Diagrams, arch: ArchName, call: string | undefined) {
    this.#space = space;
    this.#arch = arch;
    this.#call = call;
  }

  words(node: Node): Words | undefined {
    if (this.#known.has(node)) return this.#known.get(node);
    const made = this.#wordsAnew(node);
    this.#known.set(node, made);
    return made;
  }

  #wordsAnew(node: Node): Words | undefined {
    const space = this.#space;
    const rank = valueRank(space.rank(node));
    const field = new ValueField(this.#arch, this.#call, argumentAt(rank));
    const isInside = (at: Node): boolean => valueRank(space.rank(at)) === rank;
    const exits = exitsOf(space, node, isInside).filter((exit) => exit !== FALSE);
    // Each takes a test.
    if (exits.length > MOST_TESTS) return undefined;
    const parts: Words[] = [];
    for (const exit of exits) {
      const part = this.#part(node, exit, isInside, field);
      if (!part) return undefined;
      parts.push(part);
    }
    const all = join('or', parts);
    return all.cost <= MOST_TESTS ? all : undefined;
  }

  /** The values that lead to an exit, and what holds from there on. */
  #part(node: Node, exit: Node, isInside: (at: Node) => boolean, field: ValueField): Words | undefined {
    const space = this.#space;
    const exact = mapExits(space, node, isInside, (at) => at === exit);
    // Values that lead to where more is true may be named here as well.
    const loose = mapExits(space, node, isInside, (at) => at === exit || space.and(exit, space.not(at)) === FALSE);
    const rest = exit === TRUE ? undefined : this.words(exit);
    if (exit !== TRUE && !rest) return undefined;
    if (loose === TRUE && rest) return rest;
    const sets = [exact, loose].map((set) => (set === TRUE ? undefined : wordsOfSet(space, set, field, MOST_TESTS)));
    const set = shortest(sets);
    return set && rest ? join('and', [set, rest]) : set;
  }
}

/** Where a diagram leads when it has left the nodes for which `isInside` holds. */
function exitsOf(space: Diagrams, node: Node, isInside: (at: Node) => boolean): readonly Node[] {
  const exits = new Set<Node>();
  for (const at of space.reachable(node, isInside))
    for (const next of [space.low(at), space.high(at)]) if (!isInside(next)) exits.add(next);
  return [...exits];
}

function mapExits(space: Diagrams, node: Node, isInside: (at: Node) => boolean, test: (exit: Node) => boolean): Node {
  const known = new Map<Node, Node>();
  const walk = (at: Node): Node => {
    if (!isInside(at)) return test(at) ? TRUE : FALSE;
    const before = known.get(at);
    if (before !== undefined) return before;
    space.count();
    const made = space.make(space.variable(at), walk(space.low(at)), walk(space.high(at)));
    known.set(at, made);
    return made;
  };
  return walk(node);
}
