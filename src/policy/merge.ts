import { PolicyError } from '../base/errors.ts';
import { ARCH_NAMES } from '../facts/arches.ts';
import { printAction } from './action.ts';
import { printCondition } from './condition-print.ts';
import type { Action, Policy, Rule } from './model.ts';
import { joinPaths } from './paths.ts';
import { printCall } from './print.ts';
import { describeRule } from './source.ts';

/**
 * Joins two policies into one that has the rules of both; the meaning does not depend on which comes first. Rules and
 * comments of `left` keep their places, new rules of `right` go where the alphabet has them. Overlaps of different
 * conditions are left to `resolvePolicy`, which knows the ABIs. `paths:` of one policy alone stay: a recording has none.
 *
 * @throws {PolicyError} `merge_differs` where what stands above the rules differs, `conflict` for one call with two actions
 */
export function mergePolicies(left: Policy, right: Policy): Policy {
  checkSameHead(left, right);
  const arches = left.arches && [...new Set([...left.arches, ...(right.arches ?? [])])];
  const kernel = olderKernel(left.kernel, right.kernel);
  const name = left.name ?? right.name;
  const commentBefore = left.commentBefore ?? right.commentBefore;
  const start = left.start || right.start ? mergeRules(left.start ?? [], right.start ?? []) : undefined;
  const service = left.service || right.service ? mergeRules(left.service ?? [], right.service ?? []) : undefined;
  const paths = left.paths && right.paths ? joinPaths(left.paths, right.paths) : (left.paths ?? right.paths);
  const keyComments = { ...right.keyComments, ...left.keyComments };
  return {
    selkie: 1,
    sets: 1,
    ...(name !== undefined && { name }),
    ...(arches && { arches }),
    default: left.default,
    ...(left.defaults && { defaults: left.defaults }),
    ...(kernel !== undefined && { kernel }),
    ...(left.unknown && { unknown: left.unknown }),
    badArch: left.badArch,
    syscalls: mergeRules(left.syscalls, right.syscalls),
    ...(start && { start }),
    ...(service && { service }),
    ...(paths && { paths }),
    ...(commentBefore !== undefined && { commentBefore }),
    ...(Object.keys(keyComments).length > 0 && { keyComments }),
  };
}

/** Policies of different defaults have no union. @throws {PolicyError} `merge_differs` */
export function checkSameHead(left: Policy, right: Policy): void {
  for (const key of ['default', 'badArch', 'unknown'] as const) checkSame(key, left[key], right[key]);
  for (const arch of ARCH_NAMES) checkSame(`only.${arch}.default`, left.defaults?.[arch], right.defaults?.[arch]);
  if ((left.arches === undefined) !== (right.arches === undefined)) {
    throw new PolicyError('merge_differs', 'cannot merge: only one of the policies lists its "arches"');
  }
}

function checkSame(key: string, left: Action | undefined, right: Action | undefined): void {
  const [one, other] = [left, right].map((action) => (action ? printAction(action) : 'nothing'));
  if (one === other) return;
  const name = key === 'badArch' ? 'bad_arch' : key;
  throw new PolicyError('merge_differs', `cannot merge: "${name}" is ${one} in one policy and ${other} in the other`);
}

/** What the older of two releases lacked, one of the policies cannot have known: it gets `unknown`. */
export function olderKernel(left: string | undefined, right: string | undefined): string | undefined {
  if (left === undefined || right === undefined) return left ?? right;
  const [one, other] = [left, right].map((release) => release.split('.').map(Number)) as [number[], number[]];
  const major = (one[0] ?? 0) - (other[0] ?? 0);
  return (major || (one[1] ?? 0) - (other[1] ?? 0)) <= 0 ? left : right;
}

function mergeRules(left: readonly Rule[], right: readonly Rule[]): readonly Rule[] {
  const merged = [...left];
  for (const rule of right) {
    const subject = subjectOf(rule);
    const index = merged.findIndex((each) => each.only === rule.only && subjectOf(each) === subject);
    const same = merged[index];
    if (!same) insert(merged, rule);
    else if (printAction(same.action) === printAction(rule.action)) merged[index] = joinComments(same, rule);
    else refuse(same, rule);
  }
  return merged;
}

/** What two rules of one ABI have in common when they are about the same calls. */
export function subjectOf({ call, condition }: Rule): string {
  return condition ? `${printCall(call)}: ${printCondition(condition)}` : printCall(call);
}

/** @throws {PolicyError} `conflict`, with both places */
export function refuse(same: Rule, rule: Rule): never {
  const problem = `"${subjectOf(rule)}" gets ${printAction(rule.action)} here, but ${printAction(same.action)} by`;
  throw new PolicyError('conflict', `${problem} ${describeRule(same, rule.place)}: leave one of them out`, rule.place);
}

/** Puts a rule behind the last one of its ABI and action that comes before it in the alphabet, sets last. */
function insert(rules: Rule[], rule: Rule): void {
  const action = printAction(rule.action);
  let at = -1;
  let first = -1;
  rules.forEach((each, index) => {
    if (each.only !== rule.only || printAction(each.action) !== action) return;
    if (first < 0) first = index;
    if (sortKey(each) <= sortKey(rule)) at = index;
  });
  if (at >= 0) rules.splice(at + 1, 0, rule);
  else rules.splice(first >= 0 ? first : rules.length, 0, rule);
}

function sortKey(rule: Rule): string {
  return `${rule.call.kind === 'set' ? 1 : 0}${subjectOf(rule)}`;
}

function joinComments(kept: Rule, other: Rule): Rule {
  const commentBefore = joinText(kept.commentBefore, other.commentBefore, '\n');
  const comment = joinText(kept.comment, other.comment, ';');
  return { ...kept, ...(commentBefore !== undefined && { commentBefore }), ...(comment !== undefined && { comment }) };
}

function joinText(left: string | undefined, right: string | undefined, separator: string): string | undefined {
  if (left === undefined || right === undefined || left.includes(right)) return left ?? right;
  return `${left}${separator}${right}`;
}
