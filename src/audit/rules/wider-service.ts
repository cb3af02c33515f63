import { PolicyError } from '../../base/errors.ts';
import { compileService } from '../../compile/compile-policy.ts';
import type { LintRule } from '../finding.ts';

/** A service that permits what is refused before it: it never will. */
export const widerService: LintRule = {
  id: 'wider-service',
  severity: 'error',
  why: 'the service goes over the filter of syscalls, which stays in force: what that refuses is refused',
  todo: 'allow the call under syscalls too, or leave it out of service',
  source: 'docs/policy.md, Service; seccomp(2), NOTES',
  judge({ policy, resolved }) {
    if (!policy?.service || !resolved) return [];
    try {
      compileService(policy, { arches: resolved.arches.map(({ arch }) => arch) });
      return [];
    } catch (error) {
      if (!(error instanceof PolicyError)) throw error;
      return [{ message: error.problem, place: error.place ?? policy.service[0]?.place }];
    }
  },
};
