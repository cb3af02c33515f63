import assert from 'node:assert/strict';
import test from 'node:test';
import { ArgumentTests } from '../../src/compile/argument-tests.ts';
import { ALL_BITS, type Decision, Decisions } from '../../src/compile/decision.ts';
import { Diagrams, type Node } from '../../src/decision/diagrams.ts';
import { type Vector, Vectors } from '../../src/decision/vectors.ts';
import { evaluate } from '../../src/decision/witness.ts';
import { ARCHES } from '../../src/facts/arches.ts';
import type { SeccompData } from '../../src/facts/seccomp.ts';
import { decide } from '../support/decisions.ts';
import { pick, type Random, seeded } from '../support/random-policy.ts';

interface Fixture {
  readonly space: Diagrams;
  readonly vectors: Vectors;
  /** The low word of args[0]. */
  readonly low: Vector;
  readonly is: (value: number) => Vector;
}

/** The decision of a condition: 1 where it holds, else 2. */
function decisionOf(condition: (fixture: Fixture) => Node): Decision {
  const space = new Diagrams();
  const vectors = new Vectors(space);
  const node = condition({ space, vectors, low: vectors.word(16), is: (value) => vectors.constant(value) });
  return new ArgumentTests(space, new Decisions()).decision(space.choose(node, space.leaf(1), space.leaf(2)));
}

/** `== 5 ? 1 : 2` */
function text(decision: Decision): string {
  if (decision.kind === 'return') return `${decision.action}`;
  const { mask, operator, value, yes, no } = decision;
  const word = mask === ALL_BITS ? '' : `& 0x${mask.toString(16)} `;
  const right = operator === '&' ? `0x${value.toString(16)}` : value;
  return `(${word}${operator === '&' ? 'has' : operator} ${right} ? ${text(yes)} : ${text(no)})`;
}

test('a value is one test', () => {
  assert.equal(text(decisionOf(({ vectors, low, is }) => vectors.equal(low, is(77)))), '(== 77 ? 1 : 2)');
});

test('a range is two tests', () => {
  const decision = decisionOf(({ space, vectors, low, is }) =>
    space.and(vectors.atLeast(low, is(10)), space.not(vectors.greater(low, is(20)))),
  );
  assert.equal(text(decision), '(>= 10 ? (>= 21 ? 2 : 1) : 2)');
});

test('any of several bits is one test', () => {
  const decision = decisionOf(({ vectors, low, is }) => vectors.meets(low, is(0x8000_0101)));
  assert.equal(text(decision), '(has 0x80000101 ? 1 : 2)');
});

test('a value of some bits is one test of the masked word', () => {
  const decision = decisionOf(({ vectors, low, is }) => vectors.equal(vectors.and(low, is(0x0f0f)), is(0x0305)));
  assert.equal(text(decision), '(& 0xf0f == 773 ? 1 : 2)');
});

test('none of some bits, and a value of the others, is two tests', () => {
  const decision = decisionOf(({ space, vectors, low, is }) =>
    space.and(space.not(vectors.meets(low, is(0xffff_0000))), vectors.atLeast(low, is(0x1234))),
  );
  assert.equal(text(decision), '(>= 4660 ? (>= 65536 ? 2 : 1) : 2)');
});

/** Comparisons of words of two arguments with values, combined at random. */
function randomCondition(random: Random, { space, vectors }: Pick<Fixture, 'space' | 'vectors'>, depth: number): Node {
  if (depth > 0) {
    const [left, right] = [0, 1].map(() => randomCondition(random, { space, vectors }, depth - 1)) as [Node, Node];
    return pick(random, [
      () => space.and(left, right),
      () => space.or(left, right),
      () => space.choose(left, space.not(right), right),
    ])();
  }
  const word = vectors.word(pick(random, [16, 20, 24, 28]));
  const masked =
    random() < 0.5 ? word : vectors.and(word, vectors.constant(pick(random, [0xff, 0xf0, 0x8000_0001, 0x11])));
  const value = vectors.constant(pick(random, VALUES));
  return pick(random, [
    () => vectors.equal(masked, value),
    () => vectors.atLeast(masked, value),
    () => vectors.meets(masked, value),
  ])();
}

const VALUES = [0, 1, 2, 0x10, 0x11, 0x7f, 0xf0, 0xff, 0x100, 0x7fff_ffff, 0x8000_0000, 0x8000_0001, 0xffff_ffff];

test('random conditions of two arguments become decisions that decide alike', () => {
  const leaves = new Set<number>();
  for (let seed = 1; seed <= 300; seed += 1) {
    const random = seeded(seed);
    const space = new Diagrams();
    const vectors = new Vectors(space);
    const [first, second] = [1, 2].map((depth) => randomCondition(random, { space, vectors }, depth + (seed % 2))) as [
      Node,
      Node,
    ];
    const node = space.choose(first, space.leaf(1), space.choose(second, space.leaf(2), space.leaf(3)));
    const decision = new ArgumentTests(space, new Decisions()).decision(node);
    const word = (): bigint => BigInt((pick(random, VALUES) + pick(random, [0, 0, 1, 2 ** 32 - 1])) % 2 ** 32);
    for (let count = 0; count < 200; count += 1) {
      const args = [word() | (word() << 32n), word() | (word() << 32n), 0n, 0n, 0n, 0n];
      const call: SeccompData = { nr: 0, arch: ARCHES.x86_64.token, instructionPointer: 0n, args };
      const wanted = space.action(evaluate(space, node, call));
      leaves.add(wanted);
      assert.equal(decide(decision, call), wanted, `seed ${seed}`);
    }
  }
  assert.deepEqual([...leaves].sort(), [1, 2, 3]);
});
