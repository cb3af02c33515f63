import { printCondition } from './condition-print.ts';
import type { Policy, Rule } from './model.ts';
import { setMembers } from './sets.ts';

/** What a policy permits (allow and log, `start:` included), one line a call, sorted, sets spelled out. */
export function permittedLines(policy: Policy): string[] {
  const rules = [...policy.syscalls, ...(policy.start ?? [])].filter(({ action }) =>
    ['allow', 'log'].includes(action.kind),
  );
  const lines = new Set(rules.flatMap((rule) => ruleLines(rule, policy.sets)));
  return [...lines].sort();
}

function ruleLines({ call, condition }: Rule, edition: number): string[] {
  const behind = condition ? `: ${printCondition(condition)}` : '';
  if (call.kind === 'number') return [`syscall(${call.number})${behind}`];
  const names =
    call.kind === 'name' ? [call.name] : (setMembers(edition, call.name) ?? []).map((member) => member.name);
  return names.map((name) => `${name}${behind}`);
}
