// Compiled programs in the real kernel, for x86_64, x32 and i386 (test/support/kernel-caller.ts).
import assert from 'node:assert/strict';
import test from 'node:test';
import { compile } from '../../src/compile/compile.ts';
import { ARCHES, type ArchName } from '../../src/facts/arches.ts';
import { decide } from '../../src/policy/decide.ts';
import { show } from '../support/agreement.ts';
import { scratchFolder } from '../support/folders.ts';
import { callable, kernelCaller } from '../support/kernel-caller.ts';
import { boundaryCall, callsOfEveryRule, randomPolicy, seeded } from '../support/random-policy.ts';
import { missingTools } from '../support/tools.ts';

const POLICIES = 20;
const CALLS = 1200;
const EVERY: readonly ArchName[] = ['x86_64', 'x32', 'i386'];
const ARCH_LISTS = [EVERY, EVERY, ['x86_64', 'x32'], EVERY, ['x86_64', 'i386']] as const;

test('the kernel decides as decide() does: x86_64, x32 and i386', {
  skip: missingTools('gcc'),
}, (context) => {
  const ask = kernelCaller(scratchFolder(context));
  const made = { x86_64: 0, x32: 0, i386: 0 };
  for (let seed = 1; seed <= POLICIES; seed += 1) {
    const random = seeded(5000 + seed);
    // Half of them with ranges, and with i386 or x32 as another ABI.
    const arches = ARCH_LISTS[seed % ARCH_LISTS.length] as readonly ArchName[];
    const policy = randomPolicy(random, { arches, instructionPointer: false, ranges: seed % 2 === 0 });
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
