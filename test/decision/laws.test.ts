// Laws of diagrams, intervals and vectors, against truth tables and JavaScript's own arithmetic.
import assert from 'node:assert/strict';
import test from 'node:test';
import { CannotTellError } from '../../src/decision/cannot-tell.ts';
import { Diagrams, FALSE, type Node, TRUE } from '../../src/decision/diagrams.ts';
import { diagramOfIntervals, type Interval, intervalsOf } from '../../src/decision/intervals.ts';
import { swapWords } from '../../src/decision/swap-words.ts';
import { type Vector, Vectors } from '../../src/decision/vectors.ts';
import { evaluate } from '../../src/decision/witness.ts';
import { RANK_NR } from '../../src/decision/words.ts';
import { ARCHES } from '../../src/facts/arches.ts';
import type { SeccompData } from '../../src/facts/seccomp.ts';
import { type Random, seeded } from '../support/random-policy.ts';

const VARIABLES = [1, 40, 100, 300];
const ROWS = 1 << VARIABLES.length;

/** The diagram of a truth table: bit `row` is the value where the variables are the bits of `row`. */
function ofTable(space: Diagrams, table: number): Node {
  const build = (index: number, row: number): Node => {
    if (index === VARIABLES.length) return (table >>> row) & 1 ? TRUE : FALSE;
    const high = build(index + 1, row | (1 << index));
    return space.make(VARIABLES[index] as number, build(index + 1, row), high);
  };
  return build(0, 0);
}

test('and, or, not, choose and combine say what truth tables say, and equal functions are the same node', () => {
  const random = seeded(3);
  const space = new Diagrams();
  const all = 2 ** ROWS - 1;
  for (let count = 0; count < 2000; count += 1) {
    const [a = 0, b = 0, c = 0] = Array.from({ length: 3 }, () => Math.floor(random() * 2 ** ROWS));
    const [x, y, z] = [ofTable(space, a), ofTable(space, b), ofTable(space, c)];
    assert.equal(space.and(x, y), ofTable(space, a & b));
    assert.equal(space.or(x, y), ofTable(space, a | b));
    assert.equal(space.not(x), ofTable(space, all & ~a));
    assert.equal(space.choose(x, y, z), ofTable(space, (a & b) | (~a & all & c)));
    assert.equal(
      space.combine(x, y, (left, right) => (left === right ? FALSE : TRUE)),
      ofTable(space, a ^ b),
    );
    assert.equal(
      space.mapLeaves(x, (leaf) => (leaf === TRUE ? FALSE : TRUE)),
      space.not(x),
    );
    assert.equal(swapWords(space, swapWords(space, x)), x);
  }
});

test('intervals become a diagram and come back', () => {
  for (let seed = 1; seed <= 200; seed += 1) {
    const random = seeded(seed);
    const space = new Diagrams();
    const starts = Array.from({ length: 1 + (seed % 40) }, () => Math.floor(random() * 2 ** 32));
    const edges = [...new Set([0, ...starts, ...starts.map((start) => (start + 1) >>> 0)])].sort((a, b) => a - b);
    const intervals = edges.map((from, index): Interval => ({ from, node: space.leaf(index % 7) }));
    const node = diagramOfIntervals(space, RANK_NR, intervals);
    assert.deepEqual(intervalsOf(space, RANK_NR, node), intervals);
    if (intervals.length > 1) assert.equal(intervalsOf(space, RANK_NR, node, intervals.length - 1), undefined);
  }
});

test('a word with more ranges than anybody can list is given up', () => {
  const space = new Diagrams();
  const odd = space.make(32 * RANK_NR + 31, FALSE, TRUE);
  assert.throws(() => intervalsOf(space, RANK_NR, odd), CannotTellError);
});

test('attempt() gives up at an eighth of the steps that are left, and leaves the rest', () => {
  const space = new Diagrams({ nodes: 100, steps: 800 });
  const spent = space.attempt(() => space.count(101));
  assert.equal(spent, undefined);
  assert.equal(
    space.attempt(() => 'done'),
    'done',
  );
  space.count(600);
  assert.throws(() => space.count(100), CannotTellError);
});

type Operation = (vectors: Vectors, a: Vector, b: Vector) => Vector;
/** Multiplication and division by words of a call are too much for diagrams; by a constant they are not. */
const OPERATIONS: Readonly<Record<string, readonly [Operation, (a: number, b: number) => number, isHard?: true]>> = {
  and: [(vectors, a, b) => vectors.and(a, b), (a, b) => a & b],
  or: [(vectors, a, b) => vectors.or(a, b), (a, b) => a | b],
  xor: [(vectors, a, b) => vectors.xor(a, b), (a, b) => a ^ b],
  add: [(vectors, a, b) => vectors.add(a, b), (a, b) => a + b],
  subtract: [(vectors, a, b) => vectors.subtract(a, b), (a, b) => a - b],
  negate: [(vectors, a) => vectors.negate(a), (a) => -a],
  left: [(vectors, a, b) => vectors.shift(a, b, 'left'), (a, b) => a << (b & 31)],
  right: [(vectors, a, b) => vectors.shift(a, b, 'right'), (a, b) => a >>> (b & 31)],
  multiply: [(vectors, a, b) => vectors.multiply(a, b), (a, b) => Math.imul(a, b), true],
  divide: [(vectors, a, b) => vectors.divide(a, b), (a, b) => Math.floor(a / b), true],
};

const numberOf = (space: Diagrams, { bits }: Vector, call: SeccompData): number =>
  bits.reduce((value, bit, index) => (evaluate(space, bit, call) === TRUE ? value + 2 ** index : value), 0);

const word = (random: Random): number => Math.floor(random() * 2 ** (1 + Math.floor(random() * 32)));

for (const [name, [operation, wanted, isHard]] of Object.entries(OPERATIONS))
  test(`vectors: ${name} is 32-bit arithmetic`, () => {
    const random = seeded(name.length);
    const space = new Diagrams();
    const vectors = new Vectors(space);
    for (let count = 0; count < 20; count += 1) {
      const constant = Math.max(1, isHard ? Math.floor(random() * 12) : word(random));
      const left = isHard ? vectors.and(vectors.word(0), vectors.constant(0x0fff)) : vectors.word(0);
      const result = operation(vectors, left, vectors.constant(constant));
      for (let asked = 0; asked < 20; asked += 1) {
        const nr = word(random);
        const call = { nr, arch: ARCHES.x86_64.token, instructionPointer: 0n, args: [0n, 0n, 0n, 0n, 0n, 0n] };
        const a = isHard ? nr & 0x0fff : nr;
        assert.equal(numberOf(space, result, call), wanted(a, constant) >>> 0, `${a} ${constant}`);
      }
    }
  });

test('vectors: comparisons are unsigned', () => {
  const random = seeded(9);
  const space = new Diagrams();
  const vectors = new Vectors(space);
  for (let count = 0; count < 300; count += 1) {
    const [nr, k] = [word(random), word(random)];
    const [a, b] = [vectors.word(0), vectors.constant(k)];
    const call = { nr, arch: 0, instructionPointer: 0n, args: [0n, 0n, 0n, 0n, 0n, 0n] };
    const holds = (node: Node): boolean => evaluate(space, node, call) === TRUE;
    assert.deepEqual(
      [vectors.equal(a, b), vectors.greater(a, b), vectors.atLeast(a, b), vectors.meets(a, b)].map(holds),
      [nr === k, nr > k, nr >= k, (nr & k) !== 0],
    );
  }
});
