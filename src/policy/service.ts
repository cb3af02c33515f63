import { PolicyError } from '../base/errors.ts';
import { parseCondition } from './condition.ts';
import type { Policy, Rule } from './model.ts';

/**
 * The two programs of a policy that has `service:`. The first, of `syscalls:`, also permits the one call by which the second is put in force
 * over all threads, and that can only narrow. The second permits what `service:` says. Both are in force then, and the stricter answer holds;
 * of two errnos the newer program's, and so the second repeats what `syscalls:` and `only:` refuse by name (`@fallback` stays ENOSYS).
 */

/** seccomp(2): a further filter for all threads; any other operation or flag is refused. */
export const NARROWING_CONDITION = 'operation == SECCOMP_SET_MODE_FILTER && flags == SECCOMP_FILTER_FLAG_TSYNC';

const PERMITTING: readonly string[] = ['allow', 'log'];

const NARROWING: Rule = {
  action: { kind: 'allow' },
  call: { kind: 'name', name: 'seccomp' },
  condition: parseCondition(NARROWING_CONDITION),
};

/** The rules of `syscalls:` and `only:`, and the call that narrows where there is something to narrow to. */
export function rulesOfSyscalls({ syscalls, service }: Policy): readonly Rule[] {
  return service === undefined ? syscalls : [...syscalls, NARROWING];
}

/** The rules in force from the ready mark on. @throws {PolicyError} `no_service` */
export function rulesOfService({ syscalls, service }: Policy): readonly Rule[] {
  if (service === undefined)
    throw new PolicyError(
      'no_service',
      'the policy has no "service": record it with --phase ready=listen, or write it',
    );
  return [...service, ...syscalls.filter(({ action }) => !PERMITTING.includes(action.kind))];
}

/** The policy that means what is in force from the ready mark on, without what `start:` permits. @throws {PolicyError} `no_service` */
export function servicePolicy(policy: Policy): Policy {
  const { start: _start, service: _service, ...head } = policy;
  return { ...head, syscalls: rulesOfService(policy) };
}
