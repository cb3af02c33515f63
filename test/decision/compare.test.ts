import assert from 'node:assert/strict';
import test from 'node:test';
import { interpret } from '../../src/bpf/interpret.ts';
import { compile } from '../../src/compile/compile.ts';
import { combineFilters, isPermitted } from '../../src/decision/actions.ts';
import { comparable, differences, isSubset } from '../../src/decision/compare.ts';
import { Diagrams, type Node } from '../../src/decision/diagrams.ts';
import { diagramOfPolicy } from '../../src/decision/from-policy.ts';
import { diagramOfProgram } from '../../src/decision/from-program.ts';
import { evaluate } from '../../src/decision/witness.ts';
import { printCondition } from '../../src/policy/condition-print.ts';
import { decide } from '../../src/policy/decide.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';
import { boundaryCall, callsOfEveryRule, randomPolicy, seeded } from '../support/random-policy.ts';

const HEAD = 'selkie: 1\nsets: 1\narches: [x86_64]\ndefault: errno(EPERM)\nsyscalls:\n  allow:\n';
const policy = (...rules: string[]): string => HEAD + ['read', ...rules].map((rule) => `    - ${rule}\n`).join('');
const meaning = (space: Diagrams, text: string): Node => diagramOfPolicy(space, resolvePolicy(parsePolicy(text)));

/** Differences in short: name, condition, left, right. */
function short(left: string, right: string): string[] {
  const space = new Diagrams();
  const found = differences(space, comparable(space, meaning(space, left), meaning(space, right)));
  return found.map(({ name, condition, left, right }) => {
    const where = condition ? `: ${printCondition(condition)}` : '';
    return `${name}${where} ${left.toString(16)} ${right.toString(16)}`;
  });
}

const EPERM = '50001';
const ALLOW = '7fff0000';
const differing = [
  { claim: 'a call more', right: policy('write'), says: [`write ${EPERM} ${ALLOW}`] },
  {
    claim: 'a call under a condition',
    right: policy('socket: domain in [AF_INET, AF_INET6]'),
    says: [`socket: domain in [AF_INET, AF_INET6] ${EPERM} ${ALLOW}`],
  },
  {
    claim: 'a wider condition: only what it adds',
    left: policy('socket: domain == AF_UNIX'),
    right: policy('socket: domain in [AF_UNIX, AF_INET] && type == SOCK_DGRAM', 'socket: domain == AF_UNIX'),
    says: [`socket: domain == AF_INET && type == SOCK_DGRAM ${EPERM} ${ALLOW}`],
  },
  {
    claim: 'flags',
    left: policy('openat: flags within [O_CLOEXEC]'),
    right: policy('openat: flags within [O_CLOEXEC, O_DIRECTORY]'),
    says: [`openat: flags in [O_DIRECTORY, O_DIRECTORY|O_CLOEXEC] ${EPERM} ${ALLOW}`],
  },
  {
    claim: '64-bit values',
    right: policy('lseek: offset > 0x100000000'),
    says: [`lseek: offset >= 0x100000001 ${EPERM} ${ALLOW}`],
  },
  { claim: 'nothing', right: policy(), says: [] },
];
for (const { claim, left = policy(), right, says } of differing)
  test(`differences(): ${claim}`, () => assert.deepEqual(short(left, right), says));

test('isSubset() and the call that disproves it', () => {
  const space = new Diagrams();
  const small = meaning(space, policy('socket: domain == AF_UNIX'));
  const large = meaning(space, policy('socket'));
  assert.equal(isSubset(space, comparable(space, small, large)), true);
  assert.equal(isSubset(space, comparable(space, large, small)), false);
  const [lost] = differences(space, comparable(space, large, small));
  assert.equal(lost?.example.nr, 41);
  assert.notEqual(lost?.example.args[0], 1n);
});

test('the probe call of our own programs makes no difference', () => {
  const space = new Diagrams();
  const resolved = resolvePolicy(parsePolicy(policy()));
  const without = diagramOfProgram(space, compile(resolved));
  for (const probe of [true, 'service'] as const) {
    const withProbe = diagramOfProgram(space, compile(resolved, { probe }));
    assert.notEqual(withProbe, without);
    const [left, right] = comparable(space, withProbe, without);
    assert.equal(left, right);
  }
});

test('differences() of random policies: each example is one, and no difference is missed', () => {
  let found = 0;
  for (let seed = 1; seed <= 40; seed += 1) {
    const random = seeded(seed);
    const left = randomPolicy(random, { arches: ['x86_64', 'i386'] });
    const right = seed % 2 ? randomPolicy(random, { arches: ['x86_64', 'i386'] }) : { ...left, badArch: 0x0005_0016 };
    const space = new Diagrams();
    const pair = comparable(space, diagramOfPolicy(space, left), diagramOfPolicy(space, right));
    const all = differences(space, pair);
    found += all.length;
    for (const { example, left: wantedLeft, right: wantedRight } of all) {
      const [a, b] = pair.map((node) => space.action(evaluate(space, node, example)));
      assert.deepEqual([a, b], [wantedLeft, wantedRight]);
      assert.notEqual(decide(left, example), decide(right, example));
    }
    const calls = [...callsOfEveryRule(left), ...Array.from({ length: 200 }, () => boundaryCall(random, left))];
    for (const call of calls) {
      if (isPermitted(decide(left, call)) === isPermitted(decide(right, call))) continue;
      const isNamed = all.some(({ first, last }) => call.nr >= first && call.nr <= last);
      assert.ok(isNamed, `seed ${seed}: number ${call.nr}`);
    }
  }
  assert.ok(found > 1000, String(found));
});

test('a stack of filters: the least action as a signed number, the data of the newest (traps 9, 10)', () => {
  const returning = (action: number) => [{ code: 6, jt: 0, jf: 0, k: action }];
  const cases: readonly { readonly newestFirst: readonly number[]; readonly result: number }[] = [
    { newestFirst: [0x7fff_0000, 0x0005_0001], result: 0x0005_0001 },
    { newestFirst: [0x0005_0002, 0x0005_0001], result: 0x0005_0002 },
    { newestFirst: [0x0005_0001, 0x8000_0000], result: 0x8000_0000 },
    { newestFirst: [0x0000_0000, 0x8000_0000], result: 0x8000_0000 },
    { newestFirst: [0x0003_0007, 0x0003_0009, 0x7ff0_0001], result: 0x0003_0007 },
    { newestFirst: [0x7fff_0005], result: 0x7fff_0000 },
  ];
  const call = { nr: 0, arch: 0, instructionPointer: 0n, args: [0n, 0n, 0n, 0n, 0n, 0n] };
  for (const { newestFirst, result } of cases) {
    const space = new Diagrams();
    const root = combineFilters(
      space,
      newestFirst.map((action) => diagramOfProgram(space, returning(action))),
    );
    assert.equal(space.action(evaluate(space, root, call)), result);
    assert.equal(interpret(returning(newestFirst[0] as number), call).action, newestFirst[0]);
  }
});
