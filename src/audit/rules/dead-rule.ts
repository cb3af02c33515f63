import { Diagrams, type Node } from '../../decision/diagrams.ts';
import { diagramOfPolicy } from '../../decision/from-policy.ts';
import { printAction } from '../../policy/action.ts';
import type { Rule } from '../../policy/model.ts';
import type { ResolvedArch, ResolvedPolicy } from '../../policy/resolved.ts';
import type { LintRule } from '../finding.ts';

/** An action that no policy can name (data without a meaning): stands for the default, so that what it decides can be told apart. */
const MARKED = 0x0004_5e1c;

/**
 * A rule that changes nothing wherever it is left out. It is judged on the numbers that it names alone, and from the last to
 * the first, so that of two equal rules only the later one is dead.
 */
export const deadRule: LintRule = {
  id: 'dead-rule',
  severity: 'warning',
  why: 'the rule never decides: what it says is not in force, or is said twice',
  todo: 'remove it, or narrow the rule that decides before it',
  source: 'docs/policy.md, Order never decides',
  judge({ resolved, policy }) {
    if (!resolved || !policy) return [];
    const gone = new Set<Rule>();
    for (const rule of policy.syscalls.toReversed()) if (isDead(resolved, rule, gone)) gone.add(rule);
    return policy.syscalls
      .filter((rule) => gone.has(rule))
      .map((rule) => ({ message: `no call is decided by ${named(rule)}`, place: rule.place }));
  },
};

function named({ call, action, condition }: Rule): string {
  const name = call.kind === 'number' ? `syscall(${call.number})` : call.kind === 'set' ? `"@${call.name}"` : call.name;
  return `the rule that gives ${name}${condition ? ' with a condition' : ''} ${printAction(action)}`;
}

function isDead(resolved: ResolvedPolicy, rule: Rule, gone: ReadonlySet<Rule>): boolean {
  const isAside = (each: Rule): boolean => each !== rule && isRepeatedBySet(rule, each);
  const arches = resolved.arches.map((arch) => ({ ...arch, default: MARKED, calls: callsOf(arch, rule) }));
  if (arches.every(({ calls }) => calls.size === 0)) return false;
  const space = new Diagrams();
  const meaning = (isLeft: (each: Rule) => boolean): Node =>
    diagramOfPolicy(space, { ...resolved, arches: arches.map((arch) => without(arch, isLeft)) });
  const isGone = (each: Rule): boolean => gone.has(each) || isAside(each);
  return meaning(isGone) === meaning((each) => each === rule || isGone(each));
}

/** A name beside a set that holds it, and sets that overlap, are no fault: they tell why a call is there. */
function isRepeatedBySet(rule: Rule, other: Rule): boolean {
  if (rule.condition || other.condition || printAction(rule.action) !== printAction(other.action)) return false;
  const [call, beside] = [rule.call, other.call];
  if (call.kind !== 'set') return beside.kind === 'set';
  return beside.kind !== 'set' || beside.name !== call.name;
}

/** The numbers that a rule names. */
function callsOf({ calls }: ResolvedArch, rule: Rule): ResolvedArch['calls'] {
  return new Map([...calls].filter(([, rules]) => rules.some((each) => each.rule === rule)));
}

function without(arch: ResolvedArch, isLeft: (rule: Rule) => boolean): ResolvedArch {
  const kept = [...arch.calls].map(([nr, rules]) => [nr, rules.filter(({ rule }) => !isLeft(rule))] as const);
  return { ...arch, calls: new Map(kept.filter(([, rules]) => rules.length > 0)) };
}

/** Rules that say what the default says anyway. */
export const ruleLikeDefault: LintRule = {
  id: 'rule-like-default',
  severity: 'note',
  why: 'the rule says what calls get that no rule names',
  todo: 'keep it only where it is meant as a remark',
  source: 'docs/policy.md, Order never decides',
  judge({ resolved, policy }) {
    if (!resolved || !policy) return [];
    const isLike = (rule: Rule): boolean => {
      const mine = resolved.arches.flatMap((arch) =>
        [...callsOf(arch, rule)].map(([nr, rules]) => ({ arch, nr, rules })),
      );
      return (
        mine.length > 0 &&
        mine.every(({ arch, nr, rules }) => rules.length === 1 && rules[0]?.action === defaultOf(arch, nr))
      );
    };
    return policy.syscalls
      .filter((rule) => rule.call.kind !== 'set' && isLike(rule))
      .map((rule) => ({ message: `the default does the same as ${named(rule)}`, place: rule.place }));
  },
};

function defaultOf({ default: otherwise, unknown }: ResolvedArch, nr: number): number {
  return unknown && nr > unknown.above ? unknown.action : otherwise;
}
