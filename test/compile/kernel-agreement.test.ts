// Compiled programs in the real kernel, for x86_64, x32 and i386 (test/support/kernel-caller.ts).
import assert from 'node:assert/strict';
import test from 'node:test';
import { compile } from '../../src/compile/compile.ts';
import { ARCHES } from '../../src/facts/arches.ts';
import { decide } from '../../src/policy/decide.ts';
import { show } from '../support/agreement.ts';
import { scratchFolder } from '../support/folders.ts';
import { callable, kernelCaller } from '../support/kernel-caller.ts';
import { boundaryCall, callsOfEveryRule, randomPolicy, seeded } from '../support/random-policy.ts';
import { missingTools } from '../support/tools.ts';

const POLICIES = 20;
const CALLS = 1200;

test('the kernel decides as decide() does: x86_64, x32 and i386', {
  skip: missingTools('gcc'),
}, (context) => {
  const ask = kernelCaller(scratchFolder(context));
  const made = { x86_64: 0, x32: 0, i386: 0 };
  for (let seed = 1; seed <= POLICIES; seed += 1) {
    const random = seeded(5000 + seed);
    const policy = randomPolicy(random, { arches: ['x86_64', 'x32', 'i386'], instructionPointer: false });
    const drawn = [...callsOfEveryRule(policy), ...Array.from({ length: CALLS }, () => boundaryCall(random, policy))];
    const calls = drawn.flatMap((call) => callable(call) ?? []);
    const answers = ask(compile(policy), calls);
    calls.forEach((call, index) => {
      assert.equal(answers[index], decide(policy, call), `seed ${seed}: ${show(call)}`);
      made[call.arch === ARCHES.i386.token ? 'i386' : call.nr >= 0x4000_0000 ? 'x32' : 'x86_64'] += 1;
    });
  }
  const total = made.x86_64 + made.x32 + made.i386;
  assert.ok(total >= 20_000 && Math.min(made.x86_64, made.x32, made.i386) >= 4000, JSON.stringify(made));
});
