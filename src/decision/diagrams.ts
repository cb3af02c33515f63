import { CannotTellError } from './cannot-tell.ts';
import { RANK_COUNT, WORD_BITS } from './words.ts';

/**
 * Reduced ordered decision diagrams (Bryant 1986; with actions as leaves, Clarke et al. 1993) over the bits of struct seccomp_data.
 * All diagrams of one space share their nodes, and no two nodes are alike: two functions are equal exactly when their nodes are the same number.
 */

/** A diagram: the number of its root in its space. */
export type Node = number;

/** The two boolean leaves. Actions are leaves too, of another kind. */
export const FALSE: Node = 0;
export const TRUE: Node = 1;

/** Beyond every bit. */
const LEAF: number = RANK_COUNT * WORD_BITS;

export interface Limits {
  /** Most nodes; 16 bytes each. */
  readonly nodes: number;
  /** Most steps: about 0.1 us each. */
  readonly steps: number;
}

/** Some 200 MiB and 1 s. */
const DEFAULT_LIMITS: Limits = { nodes: 3 << 19, steps: 7_000_000 };

const FIRST_CAPACITY = 1 << 13;
const CACHE_BITS = 16;
/** What a node costs, in steps: of `choose`, and of walks over one diagram and over two, which take memory too. */
const CHOOSE_STEPS = 2;
const WALK_STEPS = 2;
const COMBINE_STEPS = 6;

export class Diagrams {
  #variables = new Uint16Array(FIRST_CAPACITY);
  #lows = new Int32Array(FIRST_CAPACITY);
  #highs = new Int32Array(FIRST_CAPACITY);
  #count = 0;
  /** Open addressing; a node's number plus 1, 0 where free. At most half full. */
  #table = new Int32Array(2 * FIRST_CAPACITY);
  /** Results of `choose`, overwritten by later ones: condition, yes, no, result. */
  readonly #cache = new Int32Array(4 << CACHE_BITS).fill(-1);
  readonly #limits: Limits;
  #steps = 0;
  #mostSteps: number;

  constructor(limits: Limits = DEFAULT_LIMITS) {
    this.#limits = limits;
    this.#mostSteps = limits.steps;
    this.#unique(LEAF, 0, 1);
    this.#unique(LEAF, 1, 1);
  }

  /** The leaf of an action: SECCOMP_RET_* with its data, unsigned 32 bits. */
  leaf(action: number): Node {
    return this.#unique(LEAF, action | 0, 0);
  }

  isLeaf(node: Node): boolean {
    return this.#variables[node] === LEAF;
  }

  /** The action of a leaf. */
  action(leaf: Node): number {
    return (this.#lows[leaf] as number) >>> 0;
  }

  /** The first variable that a diagram looks at; beyond all others for leaves. */
  variable(node: Node): number {
    return this.#variables[node] as number;
  }

  /** Rank of the word that a diagram looks at first; RANK_COUNT for leaves. */
  rank(node: Node): number {
    return (this.#variables[node] as number) >>> 5;
  }

  /** Where the first variable is 0. */
  low(node: Node): Node {
    return this.#lows[node] as Node;
  }

  /** Where the first variable is 1. */
  high(node: Node): Node {
    return this.#highs[node] as Node;
  }

  /** `variable ? high : low`; both must look at later variables only. */
  make(variable: number, low: Node, high: Node): Node {
    return low === high ? low : this.#unique(variable, low, high);
  }

  /** `condition ? yes : no`; the condition's leaves are TRUE and FALSE. */
  choose(condition: Node, yes: Node, no: Node): Node {
    if (condition === TRUE || yes === no) return yes;
    if (condition === FALSE) return no;
    if (yes === TRUE && no === FALSE) return condition;
    const slot = hash(condition, yes, no) >>> (32 - CACHE_BITS);
    const cache = this.#cache;
    const at = 4 * slot;
    if (cache[at] === condition && cache[at + 1] === yes && cache[at + 2] === no) return cache[at + 3] as Node;
    this.count(CHOOSE_STEPS);
    const variables = this.#variables;
    const variable = Math.min(variables[condition] as number, variables[yes] as number, variables[no] as number);
    const low = this.choose(
      this.#along(condition, variable, 0),
      this.#along(yes, variable, 0),
      this.#along(no, variable, 0),
    );
    const high = this.choose(
      this.#along(condition, variable, 1),
      this.#along(yes, variable, 1),
      this.#along(no, variable, 1),
    );
    const result = this.make(variable, low, high);
    cache[at] = condition;
    cache[at + 1] = yes;
    cache[at + 2] = no;
    cache[at + 3] = result;
    return result;
  }

  and(left: Node, right: Node): Node {
    return this.choose(left, right, FALSE);
  }

  or(left: Node, right: Node): Node {
    return this.choose(left, TRUE, right);
  }

  not(operand: Node): Node {
    return this.choose(operand, FALSE, TRUE);
  }

  /** The leaf-wise combination of two diagrams. */
  combine(left: Node, right: Node, leaf: (left: Node, right: Node) => Node): Node {
    const known = new Map<number, Node>();
    const walk = (a: Node, b: Node): Node => {
      if (this.isLeaf(a) && this.isLeaf(b)) return leaf(a, b);
      const key = a * 2 ** 26 + b;
      const before = known.get(key);
      if (before !== undefined) return before;
      this.count(COMBINE_STEPS);
      const variable = Math.min(this.variable(a), this.variable(b));
      const low = walk(this.#along(a, variable, 0), this.#along(b, variable, 0));
      const result = this.make(variable, low, walk(this.#along(a, variable, 1), this.#along(b, variable, 1)));
      known.set(key, result);
      return result;
    };
    return walk(left, right);
  }

  /** The same diagram with other leaves. */
  mapLeaves(node: Node, leaf: (leaf: Node) => Node): Node {
    const known = new Map<Node, Node>();
    const walk = (at: Node): Node => {
      if (this.isLeaf(at)) return leaf(at);
      const before = known.get(at);
      if (before !== undefined) return before;
      this.count(WALK_STEPS);
      const result = this.make(this.variable(at), walk(this.low(at)), walk(this.high(at)));
      known.set(at, result);
      return result;
    };
    return walk(node);
  }

  /**
   * A diagram that equals `node` wherever `care` holds and looks at as little as can be had cheaply (generalised cofactor "restrict",
   * Coudert and Madre 1990). `care` must not be FALSE.
   */
  restrict(node: Node, care: Node): Node {
    const known = new Map<number, Node>();
    const walk = (at: Node, where: Node): Node => {
      if (where === TRUE || this.isLeaf(at)) return at;
      const key = at * 2 ** 26 + where;
      const before = known.get(key);
      if (before !== undefined) return before;
      this.count(COMBINE_STEPS);
      const result = this.#restrictStep(at, where, walk);
      known.set(key, result);
      return result;
    };
    return walk(node, care);
  }

  #restrictStep(at: Node, where: Node, walk: (at: Node, where: Node) => Node): Node {
    const variable = this.variable(at);
    if (this.variable(where) < variable) return walk(at, this.or(this.low(where), this.high(where)));
    const low = this.#along(where, variable, 0);
    const high = this.#along(where, variable, 1);
    if (low === FALSE) return walk(this.high(at), high);
    if (high === FALSE) return walk(this.low(at), low);
    return this.make(variable, walk(this.low(at), low), walk(this.high(at), high));
  }

  /** Every node of a diagram for which `enter` holds, its parents first. */
  reachable(node: Node, enter: (node: Node) => boolean = () => true): Node[] {
    const seen = new Set<Node>();
    const found: Node[] = [];
    const walk = (at: Node): void => {
      if (seen.has(at) || !enter(at)) return;
      this.count(WALK_STEPS);
      seen.add(at);
      if (!this.isLeaf(at)) {
        walk(this.high(at));
        walk(this.low(at));
      }
      found.push(at);
    };
    walk(node);
    return found.reverse();
  }

  /** Counts steps of work. @throws {CannotTellError} */
  count(steps = 1): void {
    this.#steps += steps;
    if (this.#steps > this.#mostSteps)
      throw new CannotTellError(`it takes more than ${this.#limits.steps} steps: its tests are too intricate`);
  }

  /** Does what can be done without: undefined where it takes more than an eighth of the steps that are left. */
  attempt<T>(work: () => T): T | undefined {
    const all = this.#mostSteps;
    this.#mostSteps = this.#steps + (all - this.#steps) / 8;
    try {
      return work();
    } catch (error) {
      if (!(error instanceof CannotTellError) || this.#steps > all) throw error;
      return undefined;
    } finally {
      this.#mostSteps = all;
    }
  }

  #along(node: Node, variable: number, bit: 0 | 1): Node {
    if (this.#variables[node] !== variable) return node;
    return (bit === 0 ? this.#lows[node] : this.#highs[node]) as Node;
  }

  #unique(variable: number, low: number, high: number): Node {
    if (this.#count === this.#variables.length) this.#grow();
    const mask = this.#table.length - 1;
    let slot = hash(variable, low, high) & mask;
    for (;;) {
      const found = (this.#table[slot] as number) - 1;
      if (found < 0) break;
      if (this.#variables[found] === variable && this.#lows[found] === low && this.#highs[found] === high) return found;
      slot = (slot + 1) & mask;
    }
    const node = this.#count;
    if (node >= this.#limits.nodes) throw new CannotTellError(`it takes more than ${this.#limits.nodes} nodes`);
    this.#table[slot] = node + 1;
    this.#variables[node] = variable;
    this.#lows[node] = low;
    this.#highs[node] = high;
    this.#count += 1;
    return node;
  }

  #grow(): void {
    const capacity = 2 * this.#variables.length;
    const bigger = <T extends Uint16Array | Int32Array>(made: T, old: T): T => {
      made.set(old);
      return made;
    };
    this.#variables = bigger(new Uint16Array(capacity), this.#variables);
    this.#lows = bigger(new Int32Array(capacity), this.#lows);
    this.#highs = bigger(new Int32Array(capacity), this.#highs);
    const table = new Int32Array(2 * capacity);
    const mask = table.length - 1;
    for (const entry of this.#table) {
      if (entry === 0) continue;
      let slot =
        hash(this.#variables[entry - 1] as number, this.#lows[entry - 1] as number, this.#highs[entry - 1] as number) &
        mask;
      while (table[slot] !== 0) slot = (slot + 1) & mask;
      table[slot] = entry;
    }
    this.#table = table;
  }
}

/** Mixes three 32-bit numbers (multiplications as in MurmurHash3). */
function hash(a: number, b: number, c: number): number {
  let mixed = Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d) ^ Math.imul(c, 0xc2b2ae35);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0x297a2d39);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
