import assert from 'node:assert/strict';
import test from 'node:test';
import { compile } from '../../src/compile/compile.ts';
import { compilePolicy } from '../../src/compile/compile-policy.ts';
import { ARCHES } from '../../src/facts/arches.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { agreement, callsOfEveryReturn, firstDifference, show } from '../support/agreement.ts';
import { PLANTED_BUGS } from '../support/planted-bugs.ts';
import { boundaryCall, callsOfEveryRule, randomPolicy, seeded } from '../support/random-policy.ts';

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
