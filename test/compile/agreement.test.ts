import assert from 'node:assert/strict';
import test from 'node:test';
import { compile } from '../../src/compile/compile.ts';
import { agreement, firstDifference, show } from '../support/agreement.ts';
import { PLANTED_BUGS } from '../support/planted-bugs.ts';
import { boundaryCall, callsOfEveryRule, randomPolicy, seeded } from '../support/random-policy.ts';

const POLICIES = 40;
const CALLS = 500;

const cases = Array.from({ length: POLICIES }, (_, seed) => {
  const random = seeded(seed + 1);
  const policy = randomPolicy(random);
  const calls = [...callsOfEveryRule(policy), ...Array.from({ length: CALLS }, () => boundaryCall(random, policy))];
  return { seed: seed + 1, policy, calls, program: compile(policy) };
});

test('compile() keeps the meaning of every policy', () => {
  for (const { seed, policy, calls, program } of cases) {
    const { difference, unreached } = agreement(program, policy, calls);
    assert.equal(difference && `seed ${seed}: ${show(difference)}`, undefined);
    assert.deepEqual(unreached, [], `seed ${seed}: returns that were never reached`);
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
