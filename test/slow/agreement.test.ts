// The bar: 10^6 calls on 200 random policies, drawn at the boundaries; interpreter and reference semantics agree.
import assert from 'node:assert/strict';
import test from 'node:test';
import { compile } from '../../src/compile/compile.ts';
import { agreement, callsOfEveryReturn, show } from '../support/agreement.ts';
import { boundaryCall, callsOfEveryRule, randomPolicy, seeded } from '../support/random-policy.ts';

const POLICIES = 200;
const CALLS = 5000;

test(`${POLICIES * CALLS} calls on ${POLICIES} policies agree; every rule and every return is reached`, () => {
  let calls = 0;
  let conditional = 0;
  for (let seed = 1; seed <= POLICIES; seed += 1) {
    const random = seeded(1000 + seed);
    const policy = randomPolicy(random);
    const program = compile(policy);
    const boundary = Array.from({ length: CALLS }, () => boundaryCall(random, policy));
    const drawn = [...callsOfEveryRule(policy), ...callsOfEveryReturn(program), ...boundary];
    const result = agreement(program, policy, drawn);
    assert.equal(result.difference && `seed ${seed}: ${show(result.difference)}`, undefined);
    assert.deepEqual(result.unreached, [], `seed ${seed}: returns never reached`);
    calls += drawn.length;
    conditional += result.conditional;
  }
  const share = conditional / calls;
  console.log(`${calls} calls, ${(100 * share).toFixed(1)} % ended in a conditional rule`);
  assert.ok(share >= 0.4, `${share}`);
});
