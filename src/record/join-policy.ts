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
  const all = mergeEvidence(evidence, seen);
  const fresh = policyFromEvidence(seen, { ...options, partOf: all });
  // Nothing has a condition: a floor that came to the policy later says nothing of the rules that were written then.
  const { floor: _, ...bare } = options;
  const before = policyFromEvidence(evidence, bare);
  const both = policyFromEvidence(all, options);
  const widened = (section: Section) =>
    widen(policy[section] ?? [], before[section] ?? [], both[section] ?? [], fresh[section] ?? []);
  const [syscalls, freshSyscalls] = widened('syscalls');
  const [start, freshStart] = widened('start');
  const [service, freshService] = widened('service');
  return mergePolicies(
    { ...policy, syscalls, ...(policy.start && { start }), ...(policy.service && { service }) },
    {
      ...fresh,
      syscalls: freshSyscalls,
      ...(both.start && { start: freshStart }),
      ...(both.service && { service: freshService }),
    },
  );
}

type Section = 'syscalls' | 'start' | 'service';
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
  const open = kept.filter(({ condition }) => !condition);
  const isOpen = (rule: Rule): boolean =>
    open.some((each) => callOf(each) === callOf(rule) && (each.only === undefined || each.only === rule.only));
  const anew = [...added, ...widened].filter((rule) => !rule.condition || !isOpen(rule));
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

/** For all ABIs: those of the evidence decide whether there are rules for each of them. */
const callOf = ({ action, call }: Rule): string => `${action.kind} ${subjectOf({ action, call })}`;
const keyOf = (rule: Rule): string => `${rule.only ?? ''} ${rule.action.kind} ${subjectOf(rule)}`;
