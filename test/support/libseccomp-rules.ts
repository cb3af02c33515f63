// What a resolved policy is in libseccomp's terms.
//
// libseccomp has one default action for all arches, and rules: an action, a number, and comparisons of which all must hold. Rules of one number are
// alternatives. Each rule has at most one comparison per argument, by !=, <, <=, ==, >=, > on all 64 bits (on 32-bit arches, x32 too: on the
// low 32), or == after a mask. No rule may have the default action. So, exactly:
//
//   expressible        any condition on arguments, of any width, if few rules are enough: it is brought to a disjunction of conjunctions; a test
//                      of some bits becomes tests of prefixes by mask, such as (arg & 0xfffffff0) == 0x20; rules of different actions are
//                      made disjoint, as their order means nothing there
//   not expressible    `unknown` (numbers above the newest), unless its action is the default's; defaults that differ between arches; the instruction
//                      pointer; 64-bit tests on x32; trap(n) and errno(4095); notify as default; numbers without a name on other than the native
//                      arch; calls of i386 that are also reached by socketcall(2) or ipc(2), for which it adds rules of its own
import { ARCHES, type ArchName } from '../../src/facts/arches.ts';
import {
  MAX_ERRNO,
  SECCOMP_RET_ACTION_FULL,
  SECCOMP_RET_DATA,
  SECCOMP_RET_ERRNO,
  SECCOMP_RET_TRAP,
  SECCOMP_RET_USER_NOTIF,
} from '../../src/facts/seccomp.ts';
import { syscallName } from '../../src/facts/syscalls.ts';
import { findCall } from '../../src/policy/overlap.ts';
import type { ResolvedArch, ResolvedCondition, ResolvedPolicy, ResolvedRule } from '../../src/policy/resolved.ts';
import { type Comparison, conjunctionsOf, NotExpressible } from './libseccomp-conditions.ts';

export interface PeerRule {
  readonly action: number;
  readonly nr: number;
  readonly comparisons: readonly Comparison[];
}

export interface PeerArch {
  readonly arch: ArchName;
  readonly rules: readonly PeerRule[];
}

export interface PeerPolicy {
  readonly default: number;
  readonly badArch: number;
  readonly arches: readonly PeerArch[];
}

/** Most rules that the conditions of one number may become. */
const MOST_RULES = 64;

/**
 * @throws {NotExpressible} with the reason
 */
export function toPeerPolicy(policy: ResolvedPolicy): PeerPolicy {
  const defaults = new Set(policy.arches.map((arch) => arch.default));
  const [only, second] = defaults;
  if (only === undefined || second !== undefined) throw new NotExpressible('one default for all arches');
  checkAction(only);
  checkAction(policy.badArch);
  if ((only & SECCOMP_RET_ACTION_FULL) === SECCOMP_RET_USER_NOTIF) throw new NotExpressible('notify as default');
  return { default: only, badArch: policy.badArch, arches: policy.arches.map(toPeerArch) };
}

function checkAction(action: number): void {
  const data = action & SECCOMP_RET_DATA;
  const kind = (action & SECCOMP_RET_ACTION_FULL) >>> 0;
  if (kind === SECCOMP_RET_TRAP && data !== 0) throw new NotExpressible('trap with data');
  if (kind === SECCOMP_RET_ERRNO && data >= MAX_ERRNO) throw new NotExpressible(`errno ${data}`);
}

function toPeerArch(arch: ResolvedArch): PeerArch {
  if (arch.unknown && arch.unknown.action !== arch.default) throw new NotExpressible('an action for unknown numbers');
  const rules = [...arch.calls].flatMap(([nr, each]) => {
    const wanted = rulesOf(arch, nr, each);
    if (wanted.length > 0) checkNumber(arch.arch, nr);
    return wanted;
  });
  return { arch: arch.arch, rules };
}

/** What i386 programs reach by socketcall(2) and ipc(2) too: the man pages list them. */
const MULTIPLEXED: ReadonlySet<string> = new Set([
  ...['socket', 'bind', 'connect', 'listen', 'accept', 'accept4', 'getsockname', 'getpeername', 'socketpair'],
  ...['send', 'recv', 'sendto', 'recvfrom', 'shutdown', 'setsockopt', 'getsockopt'],
  ...['sendmsg', 'recvmsg', 'recvmmsg', 'sendmmsg'],
  ...['semop', 'semget', 'semctl', 'semtimedop', 'msgsnd', 'msgrcv', 'msgget', 'msgctl'],
  ...['shmat', 'shmdt', 'shmget', 'shmctl'],
]);

function checkNumber(arch: ArchName, nr: number): void {
  const name = syscallName(arch, nr);
  if (arch !== 'x86_64' && name === undefined) throw new NotExpressible(`number ${nr} of ${arch}`);
  if (arch === 'i386' && name !== undefined && MULTIPLEXED.has(name)) throw new NotExpressible(`${name} of i386`);
}

/** The first rule that holds decides: each holds where none before it does that has another action. */
function rulesOf(arch: ResolvedArch, nr: number, rules: readonly ResolvedRule[]): readonly PeerRule[] {
  const found = rules.flatMap(({ condition, action }, index): PeerRule[] => {
    if (action === arch.default) return [];
    checkAction(action);
    const earlier = rules.slice(0, index).filter((other) => other.action !== action && overlap(other, condition));
    const terms = [...(condition ? [condition] : []), ...earlier.map(negated)];
    return conjunctionsOf({ kind: 'and', operands: terms }, ARCHES[arch.arch], MOST_RULES).map((comparisons) => ({
      action,
      nr,
      comparisons,
    }));
  });
  if (found.length > MOST_RULES) throw new NotExpressible(`more than ${MOST_RULES} rules for number ${nr}`);
  return found;
}

function overlap({ condition }: ResolvedRule, other: ResolvedCondition | undefined): boolean {
  return findCall(...(condition ? [condition] : []), ...(other ? [other] : [])) !== undefined;
}

/** Rules without a condition stand last, so that none is earlier than another. */
function negated({ condition }: ResolvedRule): ResolvedCondition {
  return { kind: 'not', operand: condition ?? { kind: 'and', operands: [] } };
}
