import { ARCH_NAMES } from '../facts/arches.ts';
import { syscallNumber } from '../facts/syscalls.ts';
import type { Policy, Rule } from '../policy/model.ts';
import { EDITION_1 } from '../policy/sets/edition-1.ts';
import type { NamedSet } from '../policy/sets/named-set.ts';
import type { Evidence } from './evidence.ts';

/** `--coarse`: named sets instead of names where they fit, for policies that shall last longer than they are narrow. */

/** A set stands for its calls where at least so many of them were seen, and this part of those that the policy's ABIs have. */
const LEAST_SEEN = 3;
const LEAST_PART = 1 / 3;

/** Never by the company they keep: each of their calls is a decision. */
const NEVER = ['exec', 'debug', 'admin'];

/** A policy with sets for names: rules with a condition, with another action or with a comment of somebody stay what they are. */
export function coarsen(policy: Policy, evidence: readonly Evidence[]): Policy {
  const section = (rules: readonly Rule[], phases: readonly Evidence['phase'][]): readonly Rule[] => {
    const lines = evidence.filter(({ phase }) => phases.includes(phase));
    const seen = new Set(lines.flatMap(({ syscall }) => syscall ?? []));
    return EDITION_1.reduce((all, set) => withSet(all, set, seen, policy), rules);
  };
  return {
    ...policy,
    syscalls: section(policy.syscalls, ['program', 'service']),
    ...(policy.service && { service: section(policy.service, ['service']) }),
  };
}

function withSet(rules: readonly Rule[], set: NamedSet, seen: ReadonlySet<string>, policy: Policy): readonly Rule[] {
  const names = namesOn(set, policy);
  const shown = names.filter((name) => seen.has(name));
  const fits = shown.length >= LEAST_SEEN && shown.length >= LEAST_PART * names.length;
  if (!fits || NEVER.includes(set.name) || rules.some((rule) => isOfArguments(rule, names))) return rules;
  const isOfSet = (rule: Rule): boolean => rule.call.kind === 'set' && rule.call.name === set.name;
  const isCovered = (rule: Rule): boolean =>
    rule.call.kind === 'name' && isPlain(rule) && names.includes(rule.call.name);
  const kept = rules.filter((rule) => !isCovered(rule) && !(isOfSet(rule) && isPlain(rule)));
  if (kept.some(isOfSet)) return kept;
  const more = names.filter((name) => !seen.has(name));
  const added: Rule = {
    action: { kind: 'allow' },
    call: { kind: 'set', name: set.name },
    comment: `${OWN_COMMENT}${shown.length} of ${names.length} seen${more.length > 0 ? `; permits also ${more.join(' ')}` : ''}`,
  };
  // Sets stand behind the names of their action, in alphabetical order.
  const isBehind = ({ call, action }: Rule): boolean =>
    action.kind === 'allow' && call.kind === 'set' && call.name > set.name;
  const at = kept.findIndex(isBehind);
  return at < 0 ? [...kept, added] : kept.toSpliced(at, 0, added);
}

/** Those that an ABI of the policy has. */
function namesOn({ members }: NamedSet, { arches = ARCH_NAMES }: Policy): readonly string[] {
  return members
    .map(({ name }) => name)
    .filter((name) => arches.some((arch) => syscallNumber(arch, name) !== undefined));
}

/** Whether it is one of the calls with a condition that record made (--args): beside the set it would say nothing. */
function isOfArguments({ call, condition, comment }: Rule, names: readonly string[]): boolean {
  return condition !== undefined && call.kind === 'name' && names.includes(call.name) && /^ seen /.test(comment ?? '');
}

/** How comments begin that record writes itself. */
const OWN_COMMENT = ' coarse: ';
const OWN_COMMENTS = [OWN_COMMENT, ' not seen'];

/** Whether it allows a call whatever its arguments, and nobody else wrote a comment to it. */
function isPlain({ action, condition, only, comment, commentBefore }: Rule): boolean {
  const isOwn = comment === undefined || OWN_COMMENTS.some((begin) => comment.startsWith(begin));
  return action.kind === 'allow' && !condition && only === undefined && isOwn && commentBefore === undefined;
}
