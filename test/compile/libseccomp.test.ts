// libseccomp and Selkie compile the same policies: both programs must do what the policy says.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { compile } from '../../src/compile/compile.ts';
import type { ArchName } from '../../src/facts/arches.ts';
import { firstDifference, show } from '../support/agreement.ts';
import { buildPeer, missingLibseccomp, type Optimize, type Peer } from '../support/libseccomp.ts';
import { toPeerPolicy } from '../support/libseccomp-rules.ts';
import { askable, forPeer } from '../support/libseccomp-subset.ts';
import { boundaryCall, callsOfEveryRule, randomPolicy, seeded } from '../support/random-policy.ts';

const skip = missingLibseccomp();
const folder = mkdtempSync(join(tmpdir(), 'selkie-libseccomp-'));
after(() => rmSync(folder, { recursive: true, force: true }));

let built: Peer | undefined;
function peer(): Peer {
  built ??= buildPeer(folder);
  return built;
}

const LISTS: readonly (readonly ArchName[])[] = [
  ['x86_64'],
  ['i386'],
  ['x86_64', 'i386'],
  ['x86_64', 'x32', 'i386'],
  ['aarch64'],
];

for (const list of LISTS)
  test(`libseccomp's programs and ours do what policies of ${list.join(', ')} say`, { skip }, () => {
    let conditional = 0;
    for (let seed = 1; seed <= 30; seed += 1) {
      const random = seeded(seed);
      const policy = forPeer(randomPolicy(random, { arches: list, instructionPointer: false }));
      if (policy.arches.some(({ calls }) => calls.size === 0)) continue;
      const drawn = [...callsOfEveryRule(policy), ...Array.from({ length: 500 }, () => boundaryCall(random, policy))];
      const calls = drawn.flatMap(askable);
      const rules = toPeerPolicy(policy);
      conditional += rules.arches
        .flatMap((each) => each.rules)
        .filter(({ comparisons }) => comparisons.length > 0).length;
      for (const optimize of [1, 2] satisfies Optimize[]) {
        const difference = firstDifference(peer().compile(rules, optimize).program, policy, calls);
        assert.equal(difference && `libseccomp ${optimize}, seed ${seed}: ${show(difference)}`, undefined);
      }
      const difference = firstDifference(compile(policy), policy, calls);
      assert.equal(difference && `seed ${seed}: ${show(difference)}`, undefined);
    }
    assert.ok(conditional >= 100, `${conditional} rules with comparisons`);
  });
