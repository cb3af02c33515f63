import assert from 'node:assert/strict';
import test from 'node:test';
import { compile } from '../../src/compile/compile.ts';
import { compilePolicy } from '../../src/compile/compile-policy.ts';
import { ARCHES, type ArchName } from '../../src/facts/arches.ts';
import type { SeccompData } from '../../src/facts/seccomp.ts';
import { policy } from '../../src/policy/builder.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';
import { agreement, callsOfEveryReturn, firstDifference, show } from '../support/agreement.ts';
import { PLANTED_BUGS } from '../support/planted-bugs.ts';
import { boundaryCall, callsOfEveryRule, pick, randomPolicy, seeded } from '../support/random-policy.ts';

const POLICIES = 40;
const CALLS = 500;

const cases = Array.from({ length: POLICIES }, (_, seed) => {
  const random = seeded(seed + 1);
  const policy = randomPolicy(random);
  const program = compile(policy);
  const drawn = Array.from({ length: CALLS }, () => boundaryCall(random, policy));
  const calls = [...callsOfEveryRule(policy), ...callsOfEveryReturn(program), ...drawn];
  return { seed: seed + 1, policy, calls, program };
});

test('compile() keeps the meaning of every policy', () => {
  for (const { seed, policy, calls, program } of cases) {
    const { difference, unreached } = agreement(program, policy, calls);
    assert.equal(difference && `seed ${seed}: ${show(difference)}`, undefined);
    assert.deepEqual(unreached, [], `seed ${seed}: returns that were never reached`);
  }
});

const OTHER_ARCHES = ['arm', 'riscv64', 'ppc64le', 's390x', 'mips64el', 'loongarch64'] as const;

for (const arch of OTHER_ARCHES)
  test(`compile() keeps the meaning of policies of ${arch}, whose machines are ${ARCHES[arch].littleEndian ? 'little' : 'big'}-endian`, () => {
    for (let seed = 1; seed <= 15; seed += 1) {
      const random = seeded(seed);
      const policy = randomPolicy(random, { arches: [arch] });
      const program = compile(policy);
      const drawn = Array.from({ length: CALLS }, () => boundaryCall(random, policy));
      const calls = [...callsOfEveryRule(policy), ...callsOfEveryReturn(program), ...drawn];
      const { difference, unreached, conditional } = agreement(program, policy, calls);
      assert.equal(difference && `seed ${seed}: ${show(difference)}`, undefined);
      assert.deepEqual(unreached, [], `seed ${seed}: returns that were never reached`);
      assert.ok(conditional > 0);
    }
  });

for (const arches of [['x86_64'], ['x86_64', 'x32'], ['x32'], ['x86_64', 'i386', 'aarch64'], ['s390x']] as const)
  test(`compile() keeps the meaning of ranges and of rules for other ABIs: beside ${arches.join(', ')}`, () => {
    for (let seed = 1; seed <= 12; seed += 1) {
      const random = seeded(seed);
      const policy = randomPolicy(random, { arches, ranges: true });
      const program = compile(policy);
      const drawn = Array.from({ length: CALLS }, () => boundaryCall(random, policy));
      const calls = [...callsOfEveryRule(policy), ...callsOfEveryReturn(program), ...drawn];
      // Machines of the other word order read the same words.
      const foreign = calls.map((call) => ({
        ...call,
        arch: ARCHES[arches[0] === 's390x' ? 'ppc64le' : 's390x'].token,
      }));
      const { difference, unreached } = agreement(program, policy, [...calls, ...foreign]);
      assert.equal(difference && `seed ${seed}: ${show(difference)}`, undefined);
      assert.deepEqual(unreached, [], `seed ${seed}: returns that were never reached`);
    }
  });

test('a big-endian program loads the words of an argument the other way round', () => {
  const text = (arch: string): string =>
    `selkie: 1\nsets: 1\narches: [${arch}]\ndefault: errno(ENOSYS)\nsyscalls:\n  allow:\n    - lseek: offset == 5\n`;
  /** Offset of the word that is compared with each value. */
  const compared = (arch: string): [value: number, offset: number][] =>
    compilePolicy(parsePolicy(text(arch)))
      .program.flatMap(({ code, k }, pc, program): [number, number][] =>
        code === 0x20 && k >= 16 ? [[program[pc + 1]?.k ?? -1, k]] : [],
      )
      .sort();
  assert.deepEqual(compared('ppc64le'), [
    [0, 28],
    [5, 24],
  ]);
  assert.deepEqual(compared('s390x'), [
    [0, 24],
    [5, 28],
  ]);
});

const isOf =
  (arch: ArchName) =>
  (call: SeccompData): boolean =>
    call.arch === ARCHES[arch].token;

/** Rules that may stand together however they are given to ABIs. */
const RULES: readonly (readonly [action: string, call: string, condition?: string])[] = [
  ['allow', 'read'],
  ['allow', 'write', 'fd == 1'],
  ['errno(EIO)', 'write', 'fd == 2 && count > 0x10'],
  ['log', 'write'],
  ['trap(3)', 'fcntl', 'cmd in [F_GETFL, F_SETFL]'],
  ['kill_process', 'ioctl', '(cmd & 0xff00) == 0x5400'],
  ['allow', '@fallback'],
  ['errno(ENOSYS)', 'clone3'],
  ['return_zero', 'mprotect', 'not (prot & PROT_EXEC) == PROT_EXEC'],
];

test('a policy with only: is, on each ABI, the policy that has its rules alone', () => {
  const both = ['x86_64', 'i386'] as const;
  for (let seed = 1; seed <= 20; seed += 1) {
    const random = seeded(seed);
    const given = RULES.map((rule) => [pick(random, [undefined, undefined, ...both]), rule] as const);
    const made = given.reduce(
      (all, [only, rule]) => (only ? all.only(only, ...rule) : all.rule(...rule)),
      policy({ default: 'errno(EPERM)', arches: both }),
    );
    const resolved = resolvePolicy(made.build());
    const program = compile(resolved);
    for (const arch of both) {
      const alone = given
        .filter(([only]) => only === undefined || only === arch)
        .reduce((all, [, rule]) => all.rule(...rule), policy({ default: 'errno(EPERM)', arches: [arch] }));
      const expected = resolvePolicy(alone.build());
      const calls = callsOfEveryRule(resolved).filter(isOf(arch));
      const difference = firstDifference(program, expected, [
        ...calls,
        ...Array.from({ length: 100 }, () => boundaryCall(random, expected)).filter(isOf(arch)),
      ]);
      assert.equal(difference && `seed ${seed}, ${arch}: ${show(difference)}`, undefined);
    }
    const { difference, unreached } = agreement(program, resolved, [
      ...callsOfEveryRule(resolved),
      ...callsOfEveryReturn(program),
    ]);
    assert.deepEqual([difference, unreached], [undefined, []], `seed ${seed}`);
  }
});

test('compile() is deterministic', () => {
  for (const { policy, program } of cases.slice(0, 5)) assert.deepEqual(compile(policy), program);
});

for (const { claim, plant } of PLANTED_BUGS)
  test(`the agreement test finds a planted bug: ${claim}`, () => {
    const found = cases.some(
      ({ policy, calls, program }) => firstDifference(plant(program), policy, calls) !== undefined,
    );
    assert.ok(found);
  });
