import { U32_MAX, U64_MAX } from '../../base/u64.ts';
import type { Condition, Field } from '../../policy/model.ts';
import { type Diagrams, FALSE, type Node, TRUE } from '../diagrams.ts';
import type { ValueField } from './field.ts';
import { type ValueRange, valueBit, valueRanges, valueSupport } from './value-intervals.ts';

/** A condition and how much there is to read: about one for each test. */
export interface Words {
  readonly condition: Condition;
  readonly cost: number;
}

/** Bits of a value, when they are set and when they are clear. */
interface Bits {
  readonly whenSet: bigint;
  readonly whenClear: bigint;
}

const NO_BITS: Bits = { whenSet: 0n, whenClear: 0n };
const EVERY_BIT: Bits = { whenSet: U64_MAX, whenClear: U64_MAX };

/** Most ranges of values that are written as a list. */
const MOST_RANGES = 24;
/** Ranges of so many values are written out. */
const LONGEST_LISTED = 4;
const COST_OF_VALUE = 0.25;
const COST_OF_RARE_FORM = 0.5;
const COST_OF_OBSCURE_FORM = 1.5;
/** Names of constants have no order that a reader knows. */
const COST_OF_ORDERED_NAMES = 1;
/** Flags that `within` may list. */
const MOST_FLAGS = 24;

/**
 * Finds short words for a set of values of one argument, given as a boolean diagram that looks at this argument only: lists and ranges of the
 * whole value, of the bits that matter, bits that must be set or clear before the rest, bits one of which suffices, at last bit by bit.
 *
 * @returns undefined where they would be more than `most` tests
 */
export function wordsOfSet(space: Diagrams, node: Node, field: ValueField, most: number): Words | undefined {
  return new SetWriter(space, field).words(node, most);
}

class SetWriter {
  readonly #space: Diagrams;
  readonly #field: ValueField;
  readonly #known = new Map<Node, Words | undefined>();

  constructor(space: Diagrams, field: ValueField) {
    this.#space = space;
    this.#field = field;
  }

  words(node: Node, most: number): Words | undefined {
    if (most < 1) return undefined;
    if (this.#known.has(node)) return this.#known.get(node);
    const support = valueSupport(this.#space, node);
    if (!this.#field.has(this.#width(support))) return undefined;
    const plain = [this.#whole(node, support), this.#within(node, support), this.#masked(node, support)];
    let best = shortest(plain);
    if (!best || best.cost > 1.5)
      best = shortest([best, this.#forced(node, support, most), this.#sufficient(node, support, most)]);
    best ??= this.#bitByBit(node, most);
    this.#known.set(node, best);
    return best;
  }

  /** Width of the whole value as it is looked at. */
  #width(support: bigint): 32 | 64 {
    return support > U32_MAX ? 64 : 32;
  }

  #whole(node: Node, support: bigint): Words | undefined {
    const width = this.#width(support);
    const all = width === 64 ? U64_MAX : U32_MAX;
    return this.#list(node, all, this.#field.field(width), width === this.#field.width ? 0 : COST_OF_RARE_FORM);
  }

  #masked(node: Node, support: bigint): Words | undefined {
    if (support === U64_MAX || support === U32_MAX) return undefined;
    // The upper bits of a value are better told as a range.
    const isRange = [U32_MAX, U64_MAX].some((all) => support === (all & ~((support & -support) - 1n)));
    const cost = isRange ? COST_OF_OBSCURE_FORM : COST_OF_RARE_FORM;
    return this.#list(node, support, this.#field.field(this.#maskWidth(support), support), cost);
  }

  /** A mask below 2^32 needs no wider view. */
  #maskWidth(mask: bigint): 32 | 64 {
    return mask > U32_MAX ? 64 : this.#field.width;
  }

  #list(node: Node, mask: bigint, field: Field, cost: number): Words | undefined {
    const inside = valueRanges(this.#space, node, mask, MOST_RANGES);
    const outside = valueRanges(this.#space, this.#space.not(node), mask, MOST_RANGES);
    const positive = inside && this.#ranges(inside, mask, field);
    const negative = outside && this.#ranges(outside, mask, field);
    const best = shortest([positive, negative && negated(negative)]);
    return best && { ...best, cost: best.cost + cost };
  }

  #ranges(found: readonly ValueRange[], last: bigint, field: Field): Words {
    const ranges = found.flatMap((range) => listed(range, last));
    const singles = ranges.filter(({ from, to }) => from === to).map(({ from }) => this.#field.constant(from));
    const words: Words[] = ranges.filter(({ from, to }) => from !== to).map((range) => this.#range(range, last, field));
    const [only] = singles;
    if (singles.length === 1 && only)
      words.push({ condition: { kind: 'compare', field, operator: '==', constant: only }, cost: 1 });
    if (singles.length > 1)
      words.push({
        condition: { kind: 'in', field, constants: singles },
        cost: 1 + COST_OF_VALUE * singles.length,
      });
    return join('or', words);
  }

  #range({ from, to }: ValueRange, last: bigint, field: Field): Words {
    const test = (operator: '<=' | '>=', value: bigint): Words => ({
      condition: { kind: 'compare', field, operator, constant: this.#field.constant(value) },
      cost: 1 + (this.#field.isNamed(value) ? COST_OF_ORDERED_NAMES : 0),
    });
    if (from === 1n && to === last) {
      // Tied with `!= 0`, which is what people write.
      const { condition } = test('>=', from);
      return { condition, cost: 1 + COST_OF_RARE_FORM };
    }
    const above = from === 0n ? [] : [test('>=', from)];
    const below = to === last ? [] : [test('<=', to)];
    return join('and', [...above, ...below]);
  }

  /** No bit outside of a few. */
  #within(node: Node, support: bigint): Words | undefined {
    const width = this.#width(support);
    const all = width === 64 ? U64_MAX : U32_MAX;
    const allowed = all & ~support;
    const field = this.#field.field(width);
    if (field.mask !== undefined || allowed === 0n || countBits(allowed) > MOST_FLAGS) return undefined;
    const ranges = valueRanges(this.#space, node, support, 1);
    if (ranges?.length !== 1 || ranges[0]?.to !== 0n) return undefined;
    const constants = this.#field.flags(allowed);
    return {
      condition: { kind: 'within', field, constants },
      cost:
        1 + (width === this.#field.width ? 0 : COST_OF_RARE_FORM) + (this.#field.hasFlags ? 0 : COST_OF_OBSCURE_FORM),
    };
  }

  /** Bits that must be set, bits that must be clear, then the rest. */
  #forced(node: Node, support: bigint, most: number): Words | undefined {
    const { set, clear } = this.#deciding(node, support, FALSE);
    if ((set | clear) === 0n) return undefined;
    const rest = this.#assume(node, set, clear);
    if (rest === TRUE || rest === FALSE) return undefined;
    const mask = set | clear;
    const field = this.#field.field(this.#maskWidth(mask), mask);
    const test: Condition = { kind: 'compare', field, operator: '==', constant: this.#field.constant(set) };
    return joined('and', { condition: test, cost: 1 }, this.words(rest, most - 1));
  }

  /** Bits one of which suffices, then the rest. */
  #sufficient(node: Node, support: bigint, most: number): Words | undefined {
    const { set, clear } = this.#deciding(node, support, TRUE);
    if ((set | clear) === 0n) return undefined;
    const rest = this.#assume(node, set, clear);
    if (rest === TRUE || rest === FALSE) return undefined;
    const mask = set | clear;
    const field = this.#field.field(this.#maskWidth(mask), mask);
    const test: Condition = { kind: 'compare', field, operator: '!=', constant: this.#field.constant(set) };
    return joined('or', { condition: test, cost: 1 }, this.words(rest, most - 1));
  }

  #bitByBit(node: Node, most: number): Words | undefined {
    const bit = 1n << BigInt(valueBit(this.#space, node));
    const field = this.#field.field(this.#maskWidth(bit), bit);
    const side = (isSet: boolean): Words | undefined => {
      const next = isSet ? this.#space.high(node) : this.#space.low(node);
      if (next === FALSE) return { condition: { kind: 'or', operands: [] }, cost: 0 };
      const constant = this.#field.constant(isSet ? bit : 0n);
      const test: Words = { condition: { kind: 'compare', field, operator: '==', constant }, cost: 1 };
      return next === TRUE ? test : joined('and', test, this.words(next, most - 1));
    };
    const [set, clear] = [side(true), side(false)];
    const both =
      set &&
      clear &&
      join(
        'or',
        [set, clear].filter(({ cost }) => cost > 0),
      );
    return both && both.cost <= most ? both : undefined;
  }

  /** Bits whose clearing (`set`) or setting (`clear`) leads to `exit` whatever the others are. */
  #deciding(node: Node, support: bigint, exit: Node): { set: bigint; clear: bigint } {
    const { whenSet, whenClear } = this.#canMiss(node, exit);
    const clear = support & ~whenSet;
    return { set: support & ~whenClear & ~clear, clear };
  }

  /** The bits with which another leaf than `exit` can still be reached: when they are set, when they are clear. */
  #canMiss(node: Node, exit: Node): Bits {
    const space = this.#space;
    const known = new Map<Node, Bits>();
    const walk = (at: Node): Bits => {
      if (space.isLeaf(at)) return at === exit ? NO_BITS : EVERY_BIT;
      const before = known.get(at);
      if (before !== undefined) return before;
      space.count(2);
      const own = ~(1n << BigInt(valueBit(space, at)));
      const [low, high] = [walk(space.low(at)), walk(space.high(at))];
      const made = {
        whenSet: (low.whenSet & own) | high.whenSet,
        whenClear: low.whenClear | (high.whenClear & own),
      };
      known.set(at, made);
      return made;
    };
    return walk(node);
  }

  /** The diagram where some bits are known to be set, and some to be clear. */
  #assume(node: Node, set: bigint, clear: bigint): Node {
    const space = this.#space;
    const known = new Map<Node, Node>();
    const walk = (at: Node): Node => {
      if (space.isLeaf(at)) return at;
      const before = known.get(at);
      if (before !== undefined) return before;
      space.count();
      const bit = BigInt(valueBit(space, at));
      const made = this.#assumeAt(at, (set >> bit) & 1n, (clear >> bit) & 1n, walk);
      known.set(at, made);
      return made;
    };
    return walk(node);
  }

  #assumeAt(at: Node, set: bigint, clear: bigint, walk: (node: Node) => Node): Node {
    const space = this.#space;
    if (set === 1n) return walk(space.high(at));
    if (clear === 1n) return walk(space.low(at));
    return space.make(space.variable(at), walk(space.low(at)), walk(space.high(at)));
  }
}

/** A short range as its values, which have no bit outside of `mask`. */
function listed(range: ValueRange, mask: bigint): readonly ValueRange[] {
  const values: ValueRange[] = [];
  for (let value = range.from; values.length < LONGEST_LISTED; value = ((value | ~mask) + 1n) & mask) {
    values.push({ from: value, to: value });
    if (value === range.to) return values;
  }
  return [range];
}

export function shortest(all: readonly (Words | undefined)[]): Words | undefined {
  return all.reduce((best, words) => (words && (!best || words.cost < best.cost) ? words : best), undefined);
}

/** `and` or `or` of several, which is the only one where there is one. */
export function join(kind: 'and' | 'or', all: readonly Words[]): Words {
  const [only] = all;
  if (only && all.length === 1) return only;
  const operands = all.flatMap(({ condition }) => (condition.kind === kind ? condition.operands : [condition]));
  return { condition: { kind, operands }, cost: all.reduce((sum, { cost }) => sum + cost, 0) };
}

function joined(kind: 'and' | 'or', first: Words, second: Words | undefined): Words | undefined {
  return second && join(kind, [first, second]);
}

export function negated({ condition, cost }: Words): Words {
  if (condition.kind === 'compare' && condition.operator === '==')
    return { condition: { ...condition, operator: '!=' }, cost };
  return { condition: { kind: 'not', operand: condition }, cost: cost + COST_OF_RARE_FORM };
}

function countBits(bits: bigint): number {
  return bits.toString(2).replaceAll('0', '').length;
}
