// libseccomp and Selkie compile the same policies: both programs must do what the policy says.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { compile } from '../../src/compile/compile.ts';
import { ARCHES, type ArchName } from '../../src/facts/arches.ts';
import { SECCOMP_RET_ERRNO, type SeccompData } from '../../src/facts/seccomp.ts';
import { syscallName } from '../../src/facts/syscalls.ts';
import type { ResolvedArch, ResolvedPolicy, ResolvedRule } from '../../src/policy/resolved.ts';
import { firstDifference, show } from '../support/agreement.ts';
import { buildPeer, missingLibseccomp, type Optimize, type Peer } from '../support/libseccomp.ts';
import { NotExpressible } from '../support/libseccomp-conditions.ts';
import { type PeerRule, toPeerPolicy } from '../support/libseccomp-rules.ts';
import { boundaryCall, callsOfEveryRule, randomPolicy, seeded } from '../support/random-policy.ts';

const skip = missingLibseccomp();
const folder = mkdtempSync(join(tmpdir(), 'selkie-libseccomp-'));
after(() => rmSync(folder, { recursive: true, force: true }));

let built: Peer | undefined;
function peer(): Peer {
  built ??= buildPeer(folder);
  return built;
}

const EPERM = (SECCOMP_RET_ERRNO | 1) >>> 0;
/** Newest call that libseccomp 2.5.4 has a name for everywhere: set_mempolicy_home_node. */
const NEWEST = 450;
/** Numbers that were given out later, below that. */
const LATER = ['uretprobe', 'uprobe'];

/** Several rules of one number are kept where each is one ==, != or masked comparison of the same argument: */
const ALONE = [1, 4, 7];

/**
 * Shapes in which libseccomp up to 2.6.1 is a peer. Other combinations of rules are not compared here: not all of them come out as they were
 * asked for, and some never end.
 */
function isComparable(rules: readonly PeerRule[]): boolean {
  if (rules.length <= 1) return true;
  const [first] = rules.flatMap(({ comparisons }) => comparisons);
  return rules.every(({ comparisons: [only, second] }) => {
    return only && !second && only.argument === first?.argument && ALONE.includes(only.operator);
  });
}

/** Rules of one number that libseccomp can express. */
function canPeer(arch: ResolvedArch, nr: number, rules: readonly ResolvedRule[]): boolean {
  const name = syscallName(arch.arch, nr);
  if (nr - ARCHES[arch.arch].numberOffset > NEWEST || name === undefined || LATER.includes(name)) return false;
  const policy = { arches: [{ ...arch, calls: new Map([[nr, rules]]) }], badArch: arch.default, notes: [] };
  try {
    return isComparable(toPeerPolicy(policy).arches.flatMap((each) => each.rules));
  } catch (error) {
    if (error instanceof NotExpressible) return false;
    throw error;
  }
}

/** What libseccomp can express of a policy. */
function forPeer(policy: ResolvedPolicy): ResolvedPolicy {
  const arches = policy.arches.map((each): ResolvedArch => {
    const arch: ResolvedArch = { arch: each.arch, calls: new Map(), default: EPERM };
    return { ...arch, calls: new Map([...each.calls].filter(([nr, rules]) => canPeer(arch, nr, rules))) };
  });
  return { ...policy, arches };
}

/** Arguments of i386 have 32 bits. The number -1 is the mark of a skipped call, which libseccomp gives the default on x86_64. */
function askable(call: SeccompData): SeccompData[] {
  if (call.nr === 0xffff_ffff) return [];
  const bits = call.arch === ARCHES.i386.token ? 32 : 64;
  return [{ ...call, args: call.args.map((value) => BigInt.asUintN(bits, value)) }];
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
