import { mergePolicies, subjectOf } from '../policy/merge.ts';
import type { Policy, Rule } from '../policy/model.ts';
import { type Evidence, mergeEvidence } from './evidence.ts';
import { type PolicyOptions, policyFromEvidence } from './to-policy.ts';

/**
 * Adds what a run showed to a policy. Its conditions are widened, not repeated: where the rules of a call stand in the policy as the earlier evidence
 * makes them, those that all evidence makes take their place; where somebody changed them, those of the run stand beside them.
 *
 * @param evidence - what the policy was made of
 * @throws {PolicyError} the policy and what the run needs contradict each other
 */
export function joinPolicy(
  policy: Policy,
  evidence: readonly Evidence[],
  seen: readonly Evidence[],
  options: PolicyOptions,
): Policy {
  const fresh = policyFromEvidence(seen, options);
  // Nothing has a condition: a floor that came to the policy later says nothing of the rules that were written then.
  const { floor: _, ...bare } = options;
  const before = policyFromEvidence(evidence, bare);
  const both = policyFromEvidence(mergeEvidence(evidence, seen), options);
  const [syscalls, freshSyscalls] = widen(policy.syscalls, before.syscalls, both.syscalls, fresh.syscalls);
  const [start, freshStart] = widen(policy.start ?? [], before.start ?? [], both.start ?? [], fresh.start ?? []);
  const [service, freshService] = widen(
    policy.service ?? [],
    before.service ?? [],
    both.service ?? [],
    fresh.service ?? [],
  );
  return mergePolicies(
    { ...policy, syscalls, ...(policy.start && { start }), ...(policy.service && { service }) },
    {
      ...fresh,
      syscalls: freshSyscalls,
      ...(fresh.start && { start: freshStart }),
      ...(fresh.service && { service: freshService }),
    },
  );
}

type Rules = readonly Rule[];

/** @returns what stays of the policy, and what is to be added to it */
function widen(present: Rules, before: Rules, both: Rules, fresh: Rules): readonly [Rules, Rules] {
  const texts = new Set(present.map(keyOf));
  const isOurs = (subject: string): boolean => {
    const own = before.filter((rule) => callOf(rule) === subject);
    return own.some(({ condition }) => condition) && own.every((rule) => texts.has(keyOf(rule)));
  };
  const ours = new Set([...new Set(before.map(callOf))].filter(isOurs));
  const replaced = new Set(before.filter((rule) => ours.has(callOf(rule))).map(keyOf));
  const kept = present.filter((rule) => !replaced.has(keyOf(rule)));
  // What they say of evidence is of the earlier one alone.
  const outdated = new Set(kept.filter((rule) => withoutEvidence(rule) !== rule).map(callOf));
  const isAnew = (rule: Rule): boolean => ours.has(callOf(rule)) || outdated.has(callOf(rule));
  const added = fresh.filter((rule) => !isAnew(rule));
  const widened = both.filter(isAnew);
  // A condition beside a rule without one would say nothing.
  const open = new Set(kept.filter(({ condition }) => !condition).map(callOf));
  const anew = [...added, ...widened].filter((rule) => !rule.condition || !open.has(callOf(rule)));
  return [kept.map(withoutEvidence), anew];
}

/** A rule without what call-rules.ts says of evidence beside it, as far as a later run may make it wrong; other comments stay. */
function withoutEvidence(rule: Rule): Rule {
  const { commentBefore = '', comment = '', ...rest } = rule;
  const before = commentBefore
    .split('\n')
    .filter((line) => !/^ \w+, never seen: /.test(line))
    .join('\n');
  const behind = comment.replace(/^ no condition: [^;]*(?:; never seen: [^;]*)?;?/, '');
  if (before === commentBefore && behind === comment) return rule;
  return { ...rest, ...(before !== '' && { commentBefore: before }), ...(behind !== '' && { comment: behind }) };
}

const callOf = ({ action, call, only }: Rule): string => `${only ?? ''} ${action.kind} ${subjectOf({ action, call })}`;
const keyOf = (rule: Rule): string => `${rule.only ?? ''} ${rule.action.kind} ${subjectOf(rule)}`;
