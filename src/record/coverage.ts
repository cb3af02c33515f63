import type { ArchName } from '../facts/arches.ts';
import { errnoNumber } from '../facts/errnos.ts';
import {
  SECCOMP_RET_ACTION_FULL,
  SECCOMP_RET_ALLOW,
  SECCOMP_RET_DATA,
  SECCOMP_RET_ERRNO,
  SECCOMP_RET_LOG,
} from '../facts/seccomp.ts';
import { selectorsOf } from '../facts/selectors.ts';
import { syscallName } from '../facts/syscalls.ts';
import { NATIVE_ARCH } from '../kernel/native.ts';
import { holds } from '../policy/decide.ts';
import type { Policy } from '../policy/model.ts';
import { resolvePolicy } from '../policy/resolve.ts';
import type { ResolvedArch, ResolvedCondition, ResolvedPolicy, ResolvedTest } from '../policy/resolved.ts';
import { servicePolicy } from '../policy/service.ts';
import type { Condition, Evidence } from './evidence.ts';

/** What becomes of a call, whatever those of its arguments that are not known: `enosys` is what callers take for an old kernel. Anything else, or not known without them: `refused`. */
export type Fate = 'permitted' | 'enosys' | 'refused';

/** What a policy does with each call, in each phase of a run. */
export class Coverage {
  readonly #phases: Readonly<Record<Evidence['phase'], ResolvedPolicy>>;

  /** @throws {PolicyError} as resolvePolicy */
  constructor(policy: Policy) {
    // One that lists no ABI has no calls.
    const arches: readonly ArchName[] = [NATIVE_ARCH];
    this.#phases = {
      start: resolvePolicy(policy, { arches, includeStart: true }),
      program: resolvePolicy(policy, { arches }),
      service: resolvePolicy(policy.service ? servicePolicy(policy) : policy, { arches }),
    };
  }

  /** @param condition - the arguments that are known; null: none is */
  fate(arch: ArchName, nr: number, phase: Evidence['phase'] = 'program', condition: Condition | null = null): Fate {
    const resolved = this.#phases[phase].arches.find((each) => each.arch === arch);
    if (resolved === undefined) return 'refused';
    const fates = new Set(actionsOf(resolved, nr, knownOf(arch, nr, condition)).map((action) => fateOf(action, arch)));
    const [only = 'refused'] = fates;
    return fates.size === 1 ? only : 'refused';
  }

  /** Those of the lines that the policy does not permit. */
  outside(lines: readonly Evidence[]): readonly Evidence[] {
    return lines.filter(({ arch, nr, phase, condition }) => this.fate(arch, nr, phase, condition) !== 'permitted');
  }
}

/** Known bits of an argument, by its index. */
type Known = ReadonlyMap<number, { readonly value: bigint; readonly bits: bigint }>;

function knownOf(arch: ArchName, nr: number, condition: Condition | null): Known {
  if (condition === null) return new Map();
  return new Map(
    selectorsOf(arch, syscallName(arch, nr) ?? '').flatMap(({ argument, index, number, flags }) => {
      const value = Object.hasOwn(condition, argument) ? condition[argument] : undefined;
      return value === undefined ? [] : [[index, { value, bits: number | flags }] as const];
    }),
  );
}

/** All that it may be answered, by the arguments that are not known. */
function actionsOf({ calls, default: otherwise, unknown }: ResolvedArch, nr: number, known: Known): readonly number[] {
  const rules = calls.get(nr);
  if (rules === undefined) return [unknown && nr > unknown.above ? unknown.action : otherwise];
  const reached: number[] = [];
  for (const { condition, action } of rules) {
    const isMet = condition === undefined || isKnown(condition, known);
    if (isMet === false) continue;
    reached.push(action);
    if (isMet === true) return reached;
  }
  return [...reached, otherwise];
}

/** Whether a condition holds; undefined where what is not known decides. */
function isKnown(condition: ResolvedCondition, known: Known): boolean | undefined {
  if (condition.kind === 'test') return isTestKnown(condition, known);
  if (condition.kind === 'not') {
    const inner = isKnown(condition.operand, known);
    return inner === undefined ? undefined : !inner;
  }
  const results = condition.operands.map((each) => isKnown(each, known));
  const decisive = condition.kind === 'or';
  if (results.includes(decisive)) return decisive;
  return results.includes(undefined) ? undefined : !decisive;
}

function isTestKnown(test: ResolvedTest, known: Known): boolean | undefined {
  const { value, bits } = (test.argument === 'ip' ? undefined : known.get(test.argument)) ?? { value: 0n, bits: 0n };
  if ((test.mask & ~bits) !== 0n) return undefined;
  const args = Array.from({ length: 6 }, () => value);
  return holds(test, { nr: 0, arch: 0, instructionPointer: 0n, args });
}

function fateOf(action: number, arch: ArchName): Fate {
  const kind = (action & SECCOMP_RET_ACTION_FULL) >>> 0;
  if (kind === SECCOMP_RET_ALLOW || kind === SECCOMP_RET_LOG) return 'permitted';
  const isEnosys = kind === SECCOMP_RET_ERRNO && (action & SECCOMP_RET_DATA) === errnoNumber(arch, 'ENOSYS');
  return isEnosys ? 'enosys' : 'refused';
}
