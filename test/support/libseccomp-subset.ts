// The part of a random policy in which libseccomp is a peer.
import { ARCHES } from '../../src/facts/arches.ts';
import { SECCOMP_RET_ERRNO, type SeccompData } from '../../src/facts/seccomp.ts';
import { syscallName } from '../../src/facts/syscalls.ts';
import type { ResolvedArch, ResolvedPolicy, ResolvedRule } from '../../src/policy/resolved.ts';
import { NotExpressible } from './libseccomp-conditions.ts';
import { type PeerRule, toPeerPolicy } from './libseccomp-rules.ts';

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
export function forPeer(policy: ResolvedPolicy): ResolvedPolicy {
  const arches = policy.arches.map((each): ResolvedArch => {
    const arch: ResolvedArch = { arch: each.arch, calls: new Map(), default: EPERM };
    return { ...arch, calls: new Map([...each.calls].filter(([nr, rules]) => canPeer(arch, nr, rules))) };
  });
  return { ...policy, arches };
}

/** Arguments of i386 have 32 bits. The number -1 is the mark of a skipped call, which libseccomp gives the default on x86_64. */
export function askable(call: SeccompData): SeccompData[] {
  if (call.nr === 0xffff_ffff) return [];
  const bits = call.arch === ARCHES.i386.token ? 32 : 64;
  return [{ ...call, args: call.args.map((value) => BigInt.asUintN(bits, value)) }];
}
