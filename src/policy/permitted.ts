import type { ArchName } from '../facts/arches.ts';
import { printCondition } from './condition-print.ts';
import type { Policy, Rule } from './model.ts';
import { printCall } from './print.ts';
import { rulesOfSyscalls } from './service.ts';
import { setMembers } from './sets.ts';

const PERMITTING: readonly string[] = ['allow', 'log'];

/**
 * What a policy permits (allow and log, `start:` included), one line a call, sorted, sets spelled out.
 *
 * @param arches - ABIs that it is shown for; a rule for one of several ABIs alone says so
 */
export function permittedLines(policy: Policy, arches: readonly ArchName[] | undefined = policy.arches): string[] {
  const rules = [...rulesOfSyscalls(policy), ...(policy.start ?? [])].filter(
    ({ action, only }) =>
      PERMITTING.includes(action.kind) && (only === undefined || only === 'other' || (arches?.includes(only) ?? true)),
  );
  const lines = new Set(rules.flatMap((rule) => ruleLines(rule, policy.sets, arches?.length === 1)));
  const otherwise = PERMITTING.includes(policy.default.kind) ? ['all calls that no other rule names'] : [];
  return [...[...lines].sort(), ...otherwise];
}

function ruleLines({ call, condition, only }: Rule, edition: number, isOneArch: boolean): string[] {
  const where = only === undefined || (isOneArch && only !== 'other') ? '' : ` (${only} only)`;
  const behind = `${where}${condition ? `: ${printCondition(condition)}` : ''}`;
  if (call.kind === 'number' || call.kind === 'range') return [`${printCall(call)}${behind}`];
  const names =
    call.kind === 'name' ? [call.name] : (setMembers(edition, call.name) ?? []).map((member) => member.name);
  return names.map((name) => `${name}${behind}`);
}
