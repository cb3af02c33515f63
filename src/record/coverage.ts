import type { ArchName } from '../facts/arches.ts';
import { errnoNumber } from '../facts/errnos.ts';
import {
  SECCOMP_RET_ACTION_FULL,
  SECCOMP_RET_ALLOW,
  SECCOMP_RET_DATA,
  SECCOMP_RET_ERRNO,
  SECCOMP_RET_LOG,
} from '../facts/seccomp.ts';
import type { Policy } from '../policy/model.ts';
import { resolvePolicy } from '../policy/resolve.ts';
import type { ResolvedArch, ResolvedPolicy } from '../policy/resolved.ts';
import { servicePolicy } from '../policy/service.ts';
import type { Evidence } from './evidence.ts';

/** What becomes of a call whatever its arguments: `enosys` is what callers take for an old kernel. Anything else, or not known without them: `refused`. */
export type Fate = 'permitted' | 'enosys' | 'refused';

/** What a policy does with each call, in each phase of a run. */
export class Coverage {
  readonly #phases: Readonly<Record<Evidence['phase'], ResolvedPolicy>>;

  /** @throws {PolicyError} as resolvePolicy */
  constructor(policy: Policy) {
    // One that lists no ABI has no calls.
    const arches: readonly ArchName[] = ['x86_64'];
    this.#phases = {
      start: resolvePolicy(policy, { arches, includeStart: true }),
      program: resolvePolicy(policy, { arches }),
      service: resolvePolicy(policy.service ? servicePolicy(policy) : policy, { arches }),
    };
  }

  fate(arch: ArchName, nr: number, phase: Evidence['phase'] = 'program'): Fate {
    const resolved = this.#phases[phase].arches.find((each) => each.arch === arch);
    if (resolved === undefined) return 'refused';
    const fates = new Set(actionsOf(resolved, nr).map((action) => fateOf(action, arch)));
    const [only = 'refused'] = fates;
    return fates.size === 1 ? only : 'refused';
  }

  /** Those of the lines that the policy does not permit. */
  outside(lines: readonly Evidence[]): readonly Evidence[] {
    return lines.filter(({ arch, nr, phase }) => this.fate(arch, nr, phase) !== 'permitted');
  }
}

/** All that it may be answered, by its arguments. */
function actionsOf({ calls, default: otherwise, unknown }: ResolvedArch, nr: number): readonly number[] {
  const rules = calls.get(nr);
  if (rules === undefined) return [unknown && nr > unknown.above ? unknown.action : otherwise];
  const end = rules.findIndex(({ condition }) => condition === undefined);
  const reached = (end === -1 ? rules : rules.slice(0, end + 1)).map(({ action }) => action);
  return end === -1 ? [...reached, otherwise] : reached;
}

function fateOf(action: number, arch: ArchName): Fate {
  const kind = (action & SECCOMP_RET_ACTION_FULL) >>> 0;
  if (kind === SECCOMP_RET_ALLOW || kind === SECCOMP_RET_LOG) return 'permitted';
  const isEnosys = kind === SECCOMP_RET_ERRNO && (action & SECCOMP_RET_DATA) === errnoNumber(arch, 'ENOSYS');
  return isEnosys ? 'enosys' : 'refused';
}
