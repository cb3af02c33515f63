import { isPermitted } from '../../decision/actions.ts';
import { FALSE, type Node, TRUE } from '../../decision/diagrams.ts';
import { diagramOfPolicy } from '../../decision/from-policy.ts';
import { SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO } from '../../facts/seccomp.ts';
import { printAction } from '../../policy/action.ts';
import type { Rule } from '../../policy/model.ts';
import { printCall } from '../../policy/print.ts';
import type { ResolvedArch, ResolvedCalls, ResolvedPolicy, ResolvedRule } from '../../policy/resolved.ts';
import { Abi } from '../abi.ts';
import type { LintRule } from '../finding.ts';
import type { Subject } from '../subject.ts';

/** A rule of a policy that changes nothing wherever it is left out. */
export const deadRule: LintRule = {
  id: 'dead-rule',
  severity: 'warning',
  why: 'the rule never decides: what it says is not in force, or is said twice',
  todo: 'remove it, or narrow the rule that decides before it',
  source: 'docs/policy.md, Order never decides',
  judge(subject) {
    const { resolved, policy } = subject;
    if (!resolved || !policy) return [];
    const alive = new Set<Rule>();
    const named = new Set<Rule>();
    for (const arch of resolved.arches)
      for (const [nr, rules] of arch.calls) {
        for (const { rule } of rules) named.add(rule);
        for (const { rule } of livingRules(subject, { arch, nr, rules })) alive.add(rule);
      }
    for (const { ranges = [] } of sectionsOf(resolved)) for (const { rule } of ranges) alive.add(rule.rule);
    return policy.syscalls
      .filter((rule) => (named.has(rule) || rule.call.kind === 'range') && !alive.has(rule))
      .map((rule) => ({ message: `no call is decided by ${describe(rule)}`, place: rule.place }));
  },
};

/** Rules that say what the default says anyway. */
export const ruleLikeDefault: LintRule = {
  id: 'rule-like-default',
  severity: 'note',
  why: 'the rule says what calls get that no rule names',
  todo: 'keep it only where it is meant as a remark',
  source: 'docs/policy.md, Order never decides',
  judge({ resolved, policy }) {
    if (!resolved || !policy) return [];
    const different = new Set<Rule>();
    const named = new Set<Rule>();
    for (const arch of resolved.arches)
      for (const [nr, rules] of arch.calls)
        for (const { rule, action } of rules) {
          named.add(rule);
          if (rules.length > 1 || action !== defaultOf(arch, nr)) different.add(rule);
        }
    for (const arch of resolved.arches)
      for (const { from, to, rule } of arch.ranges ?? []) {
        named.add(rule.rule);
        if ([from, to].some((nr) => rule.action !== defaultOf(arch, nr))) different.add(rule.rule);
      }
    return policy.syscalls
      .filter((rule) => rule.call.kind !== 'set' && named.has(rule) && !different.has(rule))
      .map((rule) => ({ message: `the default does the same as ${describe(rule)}`, place: rule.place }));
  },
};

function sectionsOf({ arches, other }: ResolvedPolicy): readonly ResolvedCalls[] {
  return other ? [...arches, other] : arches;
}

function describe({ call, action, condition }: Rule): string {
  const name = call.kind === 'set' ? `"@${call.name}"` : printCall(call);
  return `the rule that gives ${name}${condition ? ' with a condition' : ''} ${printAction(action)}`;
}

function defaultOf({ default: otherwise, unknown }: ResolvedArch, nr: number): number {
  return unknown && nr > unknown.above ? unknown.action : otherwise;
}

/** The rules of one number, most preferred first. */
interface Group {
  readonly arch: ResolvedArch;
  readonly nr: number;
  readonly rules: readonly ResolvedRule[];
}

/** Of the rules of one number, in their order, those that decide something and that no later one would decide alike. */
function livingRules(subject: Subject, group: Group): readonly ResolvedRule[] {
  const { space } = subject;
  const { rules } = group;
  const whole = rules.filter(({ condition }) => condition === undefined);
  const { reached, rest } = reachedRules(subject, group);
  // What calls get behind a rule; the default is none of the actions.
  let behind = whole[0] ? space.leaf(whole[0].action) : FALSE;
  const living = reached.toReversed().filter(({ rule, holds, where }) => {
    const own = space.leaf(rule.action);
    if (space.choose(where, behind, own) === own) return false;
    behind = space.choose(holds, own, behind);
    return true;
  });
  const decisive =
    rest === FALSE ? [] : whole.filter((each, index) => !whole.slice(0, index).some((before) => hides(before, each)));
  return [...living.map(({ rule }) => rule), ...decisive];
}

interface Reached {
  readonly rule: ResolvedRule;
  readonly holds: Node;
  /** The calls that come to it and for which it holds. */
  readonly where: Node;
}

/** Conditional rules that some call comes to, and what calls no condition holds for. */
function reachedRules(
  subject: Subject,
  { arch, nr, rules }: Group,
): { readonly reached: readonly Reached[]; readonly rest: Node } {
  const { space } = subject;
  const reached: Reached[] = [];
  let rest: Node = TRUE;
  for (const rule of rules) {
    if (!rule.condition) continue;
    const holds = whereHolds(subject, arch, nr, rule);
    const where = space.and(rest, holds);
    if (where !== FALSE) reached.push({ rule, holds, where });
    rest = space.and(rest, space.not(holds));
  }
  return { reached, rest };
}

/** The calls of a number for which a rule holds: what a policy isPermitted that has no other one. */
function whereHolds({ space, outcomes }: Subject, { arch }: ResolvedArch, nr: number, rule: ResolvedRule): Node {
  const refused = SECCOMP_RET_ERRNO | 1;
  const calls = new Map([[nr, [{ ...rule, action: SECCOMP_RET_ALLOW }]]]);
  const alone = { arches: [{ arch, calls, default: refused }], badArch: refused, notes: [] };
  const abi = new Abi(space, outcomes, diagramOfPolicy(space, alone), arch);
  return outcomes.where(abi.at(nr), isPermitted);
}

/**
 * Whether an unconditional rule leaves nothing to a later one. A name beside a set that holds it, and sets that overlap, are no fault where the
 * action is the same: they tell why a call is there.
 */
function hides(before: ResolvedRule, later: ResolvedRule): boolean {
  if (before.action !== later.action) return true;
  const [first, second] = [before.rule.call, later.rule.call];
  if (first.kind !== 'set' && second.kind !== 'set') return true;
  return first.kind === 'set' && second.kind === 'set' && first.name === second.name;
}
