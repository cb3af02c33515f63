import assert from 'node:assert/strict';
import test from 'node:test';
import type { Program } from '../../src/bpf/instruction.ts';
import { compile } from '../../src/compile/compile.ts';
import { compareStacks } from '../../src/decision/compare-stacks.ts';
import { actionOfStack, searchDifference } from '../../src/decision/search.ts';
import { ARCHES } from '../../src/facts/arches.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';

const make = (code: number, k = 0, jt = 0, jf = 0) => ({ code, jt, jf, k });
const load = (k: number) => make(0x20, k);
const ret = (k: number) => make(0x06, k);
const [TAX, MULTIPLY, RET_A] = [make(0x07), make(0x2c), make(0x16)];
const [ALLOW, ERRNO] = [0x7fff_0000, 0x5_0001];

/** Whether the product of two arguments is a value: no diagram holds that. */
const product = (value: number, no: Program): Program => [
  ...[load(16), TAX, load(24), MULTIPLY, make(0x15, value, 0, 1)],
  ret(ALLOW),
  ...no,
];

test('a word of the call that is returned differs from what allows all: an example, and who permits more', () => {
  for (const offset of [0, 4, 16, 52]) {
    const program = [load(offset), RET_A];
    const { differences, isComplete, permitsMore } = compareStacks([program], []);
    assert.equal(isComplete, false);
    assert.deepEqual(permitsMore, { left: false, right: true });
    assert.equal(differences.length, 1);
    const [{ left, right, example }] = differences as [(typeof differences)[0]];
    assert.equal(left, actionOfStack([program], example));
    assert.equal(right, ALLOW);
    assert.notEqual(left, right);
  }
});

test('it is equal to itself, and to itself behind a detour', () => {
  const detour = [load(16), TAX, load(20), make(0x87), RET_A];
  const { differences, isComplete } = compareStacks([[load(16), RET_A]], [detour]);
  assert.deepEqual(differences, []);
  assert.equal(isComplete, true);
});

test('where a program has no diagram, calls by that of the other show the difference', () => {
  const only = (offset: number, value: number): Program => [load(offset), make(0x15, value, 1, 0), ret(ERRNO)];
  const start = [...only(4, ARCHES.x86_64.token), ...only(0, 41), ...only(16, 1), ...only(32, 77)];
  const plain = [...start, ret(ALLOW)];
  const hidden = [...start, ...product(7, [ret(ERRNO)])];
  for (const [left, right] of [
    [plain, hidden],
    [hidden, plain],
  ] as const) {
    const { differences, isComplete, permitsMore } = compareStacks([left], [right]);
    assert.equal(isComplete, false);
    assert.equal(permitsMore, undefined);
    const [found] = differences;
    assert.ok(found);
    assert.equal(found.name, 'socket');
    assert.equal(found.left, actionOfStack([left], found.example));
    assert.equal(found.right, actionOfStack([right], found.example));
    assert.notEqual(found.left, found.right);
  }
});

test('the probe call alone is no difference', () => {
  const policy = resolvePolicy(
    parsePolicy('selkie: 1\narches: [x86_64]\ndefault: errno(EPERM)\nsyscalls:\n  allow: [exit_group]\n'),
  );
  assert.equal(searchDifference([compile(policy, { probe: true })], [compile(policy)]), undefined);
});

test('where neither has a diagram it is not told', () => {
  const [a, b] = [product(77, [ret(ERRNO)]), product(78, [ret(ERRNO)])];
  assert.throws(() => compareStacks([a], [b]), { code: 'cannot_tell' });
});
