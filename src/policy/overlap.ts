import { PolicyError } from '../base/errors.ts';
import type { ResolvedCondition, ResolvedTest } from './resolved.ts';

/**
 * Exact satisfiability of conditions: is there a call for which it holds, and which one?
 *
 * Arguments are walked one after the other, each from its highest bit down. While the bits of an argument are chosen, each of its
 * tests is known to be below, equal to or above its value so far; a test that is below or above stays so, since all
 * comparisons are unsigned. The condition is evaluated with what is known (three-valued) after each bit: false prunes, true ends.
 * Positions that differ only in what can no longer matter are visited once.
 */

/** Values that make a condition hold: of the instruction pointer and of the six arguments; what does not matter is 0. */
export interface Witness {
  readonly instructionPointer: bigint;
  readonly args: readonly bigint[];
}

/** A choice of one bit, and what comes after it. */
interface Step {
  readonly variable: Variable;
  readonly bit: bigint;
  readonly next: () => boolean;
}

/** Work (open tests, summed over all positions) before a condition is given up: some tenths of a second. */
const BUDGET = 500_000;

/** Below, equal so far, above. */
type Order = -1 | 0 | 1;

interface Variable {
  readonly argument: number | 'ip';
  readonly tests: readonly number[];
  /** Single-bit values, highest first, that some test looks at. */
  readonly bits: readonly bigint[];
}

/**
 * Finds a call for which all the conditions hold.
 *
 * @returns values of a call, or `undefined` when there is none: both are exact
 * @throws {PolicyError} `too_complex`
 */
export function findCall(...conditions: readonly ResolvedCondition[]): Witness | undefined {
  return new Search({ kind: 'and', operands: conditions }).run();
}

/** A condition whose leaves are numbered: `leaf` counts occurrences, `test` the different tests. */
type Node =
  | { readonly kind: 'leaf'; readonly leaf: number; readonly test: number }
  | { readonly kind: 'and' | 'or'; readonly operands: readonly Node[] }
  | { readonly kind: 'not'; readonly operand: Node };

class Search {
  readonly #root: Node;
  readonly #tests: ResolvedTest[] = [];
  readonly #variables: readonly Variable[];
  readonly #index = new Map<string, number>();
  readonly #orders: Order[];
  /** Tests whose variable is fully chosen, so that "equal so far" is equal. */
  readonly #closed: boolean[];
  readonly #testOfLeaf: number[] = [];
  readonly #failed = new Set<string>();
  readonly #values = new Map<number | 'ip', bigint>();
  #work = 0;

  constructor(condition: ResolvedCondition) {
    this.#root = this.#number(condition);
    this.#orders = this.#tests.map(() => 0);
    this.#closed = this.#tests.map(() => false);
    this.#variables = this.#makeVariables();
  }

  run(): Witness | undefined {
    if (!this.#choose(this.#root, 0, 0)) return undefined;
    const args = Array.from({ length: 6 }, (_, index) => this.#values.get(index) ?? 0n);
    return { instructionPointer: this.#values.get('ip') ?? 0n, args };
  }

  #number(condition: ResolvedCondition): Node {
    if (condition.kind === 'not') return { kind: 'not', operand: this.#number(condition.operand) };
    if (condition.kind !== 'test') {
      return { kind: condition.kind, operands: condition.operands.map((each) => this.#number(each)) };
    }
    const { argument, mask, operator, value } = condition;
    const key = `${argument} ${mask} ${operator} ${value}`;
    const test = this.#index.get(key) ?? this.#tests.push(condition) - 1;
    this.#index.set(key, test);
    return { kind: 'leaf', leaf: this.#testOfLeaf.push(test) - 1, test };
  }

  #makeVariables(): readonly Variable[] {
    const groups = new Map<number | 'ip', number[]>();
    this.#tests.forEach(({ argument }, index) => {
      const group = groups.get(argument);
      if (group) group.push(index);
      else groups.set(argument, [index]);
    });
    return [...groups].map(([argument, tests]) => {
      const seen = tests.reduce((bits, index) => bits | this.#test(index).mask | this.#test(index).value, 0n);
      const bits: bigint[] = [];
      for (let bit = 1n << 63n; bit > 0n; bit >>= 1n) if (seen & bit) bits.push(bit);
      return { argument, tests, bits };
    });
  }

  #test(index: number): ResolvedTest {
    return this.#tests[index] as ResolvedTest;
  }

  /**
   * Chooses the remaining bits from bit `position` of a variable on; true when `node` then holds. `node` is what is left of the
   * condition, so that each step costs what is still open, not what there was.
   */
  #choose(node: Node, variableIndex: number, position: number): boolean {
    const open: number[] = [];
    const left = this.#reduce(node, open);
    this.#spend(open.length + 1);
    if (typeof left === 'boolean') return left;
    const variable = this.#variables[variableIndex] as Variable;
    const bit = variable.bits[position];
    if (bit === undefined) return this.#close(variable, () => this.#choose(left, variableIndex + 1, 0));
    // What is open determines what is left of the condition: around an open leaf all that is known is neutral.
    const key = `${variableIndex} ${position} ${open.join()}`;
    if (this.#failed.has(key)) return false;
    const step = { variable, bit, next: () => this.#choose(left, variableIndex, position + 1) };
    const tests = [...new Set(open.map((leaf) => this.#testOfLeaf[leaf] as number))].filter(
      (index) => this.#test(index).argument === variable.argument,
    );
    if (this.#take(step, tests, false)) return true;
    const matters = tests.some((index) => (this.#test(index).mask & bit) !== 0n);
    if (matters && this.#take(step, tests, true)) return true;
    this.#failed.add(key);
    return false;
  }

  #spend(work: number): void {
    this.#work += work;
    if (this.#work > BUDGET) throw new PolicyError('too_complex', 'too complex to check: split it, or test fewer bits');
  }

  /** Sets or clears a bit for the tests that are still open, goes on, and takes it back when that fails. */
  #take({ variable, bit, next }: Step, tests: readonly number[], set: boolean): boolean {
    const value = this.#values.get(variable.argument) ?? 0n;
    if (set) this.#values.set(variable.argument, value | bit);
    // Open tests are equal so far: that is what they go back to.
    for (const index of tests) this.#orders[index] = orderAt(this.#test(index), bit, set);
    if (next()) return true;
    for (const index of tests) this.#orders[index] = 0;
    this.#values.set(variable.argument, value);
    return false;
  }

  #close(variable: Variable, next: () => boolean): boolean {
    for (const index of variable.tests) this.#closed[index] = true;
    if (next()) return true;
    for (const index of variable.tests) this.#closed[index] = false;
    return false;
  }

  /** What is left of a condition when all that is known is put in; adds its leaves to `open`. */
  #reduce(node: Node, open: number[]): Node | boolean {
    if (node.kind === 'leaf') return this.#reduceLeaf(node, open);
    if (node.kind === 'not') {
      const operand = this.#reduce(node.operand, open);
      return typeof operand === 'boolean' ? !operand : { kind: 'not', operand };
    }
    const decisive = node.kind === 'or';
    const before = open.length;
    const operands: Node[] = [];
    for (const each of node.operands) {
      const operand = this.#reduce(each, open);
      if (operand === decisive) {
        open.length = before;
        return decisive;
      }
      if (typeof operand !== 'boolean') operands.push(operand);
    }
    return operands.length === 0 ? !decisive : { kind: node.kind, operands };
  }

  #reduceLeaf(leaf: Node & { kind: 'leaf' }, open: number[]): Node | boolean {
    const order = this.#orders[leaf.test] as Order;
    if (order !== 0 || this.#closed[leaf.test]) return holds(this.#test(leaf.test).operator, order);
    open.push(leaf.leaf);
    return leaf;
  }
}

function orderAt(test: ResolvedTest, bit: bigint, set: boolean): Order {
  const left = set && (test.mask & bit) !== 0n;
  const right = (test.value & bit) !== 0n;
  return left === right ? 0 : left ? 1 : -1;
}

function holds(operator: ResolvedTest['operator'], order: Order): boolean {
  switch (operator) {
    case '==':
      return order === 0;
    case '!=':
      return order !== 0;
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '>':
      return order > 0;
    case '>=':
      return order >= 0;
  }
}
