import { printCondition } from './condition-print.ts';
import type { Policy, Rule } from './model.ts';
import { setMembers } from './sets.ts';

const PERMITTING: readonly string[] = ['allow', 'log'];

/** What a policy permits (allow and log, `start:` included), one line a call, sorted, sets spelled out. */
export function permittedLines(policy: Policy): string[] {
  const rules = [...policy.syscalls, ...(policy.start ?? [])].filter(({ action }) => PERMITTING.includes(action.kind));
  const lines = new Set(rules.flatMap((rule) => ruleLines(rule, policy.sets)));
  const otherwise = PERMITTING.includes(policy.default.kind) ? ['all calls that no other rule names'] : [];
  return [...[...lines].sort(), ...otherwise];
}

function ruleLines({ call, condition }: Rule, edition: number): string[] {
  const behind = condition ? `: ${printCondition(condition)}` : '';
  if (call.kind === 'number') return [`syscall(${call.number})${behind}`];
  const names =
    call.kind === 'name' ? [call.name] : (setMembers(edition, call.name) ?? []).map((member) => member.name);
  return names.map((name) => `${name}${behind}`);
}
