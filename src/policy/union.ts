import { PolicyError } from '../base/errors.ts';
import { ARCH_NAMES } from '../facts/arches.ts';
import { printAction } from './action.ts';
import { checkSameHead, olderKernel, refuse, subjectOf } from './merge.ts';
import type { KeyComments, Policy, Rule, Section } from './model.ts';
import { joinPaths, sortPaths } from './paths.ts';

/**
 * The union of any number of policies, one at a time. Unlike `mergePolicies`, which keeps one policy's order, the result does not
 * depend on order or grouping, to the byte: rules and comments are sorted, and what stands twice stands once.
 */
export class PolicyUnion {
  #head: Policy | undefined;
  readonly #rules = new Map<string, Rule>();
  readonly #start = new Map<string, Rule>();
  readonly #service = new Map<string, Rule>();
  #hasStart = false;
  #hasService = false;

  /** @throws {PolicyError} `merge_differs`, `conflict` with both lines */
  add(policy: Policy): void {
    if (this.#head) checkSameHead(this.#head, policy);
    if (this.#head && (this.#head.paths === undefined) !== (policy.paths === undefined)) {
      const problem = 'only one of the policies has "paths", and without them all files are permitted';
      throw new PolicyError('merge_differs', `cannot merge: ${problem}`);
    }
    this.#head = this.#head ? joinHeads(this.#head, policy) : policy;
    this.#hasStart ||= policy.start !== undefined;
    this.#hasService ||= policy.service !== undefined;
    for (const rule of policy.syscalls) addRule(this.#rules, rule);
    for (const rule of policy.start ?? []) addRule(this.#start, rule);
    for (const rule of policy.service ?? []) addRule(this.#service, rule);
  }

  /** @throws {PolicyError} `nothing_to_merge` where no policy was added */
  policy(): Policy {
    if (!this.#head) throw new PolicyError('nothing_to_merge', 'cannot merge: no policy is there');
    const { start: _start, service: _service, arches, paths, ...head } = this.#head;
    return {
      ...head,
      ...(arches && { arches: ARCH_NAMES.filter((arch) => arches.includes(arch)) }),
      syscalls: sorted(this.#rules),
      ...(this.#hasStart && { start: sorted(this.#start) }),
      ...(this.#hasService && { service: sorted(this.#service) }),
      ...(paths && { paths: sortPaths(paths) }),
    };
  }
}

function joinHeads(left: Policy, right: Policy): Policy {
  const name = lesser(left.name, right.name);
  const kernel = olderKernel(left.kernel, right.kernel);
  const commentBefore = joinLines(left.commentBefore, right.commentBefore);
  const { name: _name, kernel: _kernel, commentBefore: _comment, keyComments: _keys, arches, ...rest } = left;
  const paths = left.paths && right.paths && joinPaths(left.paths, right.paths);
  const keyComments = joinKeyComments(left.keyComments ?? {}, right.keyComments ?? {});
  return {
    ...rest,
    ...(name !== undefined && { name }),
    ...(arches && { arches: [...new Set([...arches, ...(right.arches ?? [])])] }),
    ...(kernel !== undefined && { kernel }),
    ...(paths && { paths }),
    ...(commentBefore !== undefined && { commentBefore }),
    ...(Object.keys(keyComments).length > 0 && { keyComments }),
  };
}

type Comments = Readonly<Record<string, KeyComments>>;

function joinKeyComments(left: Comments, right: Comments): Comments {
  const keys = [...new Set([...Object.keys(left), ...Object.keys(right)])].sort();
  return Object.fromEntries(
    keys.map((key) => {
      const before = joinLines(left[key]?.before, right[key]?.before);
      const behind = lesser(left[key]?.behind, right[key]?.behind);
      return [key, { ...(before !== undefined && { before }), ...(behind !== undefined && { behind }) }];
    }),
  );
}

function addRule(rules: Map<string, Rule>, rule: Rule): void {
  const key = `${rule.only ?? ''} ${subjectOf(rule)}`;
  const known = rules.get(key);
  if (known === undefined) rules.set(key, rule);
  else if (printAction(known.action) === printAction(rule.action)) rules.set(key, joinRules(known, rule));
  else refuse(known, rule);
}

function joinRules(left: Rule, right: Rule): Rule {
  const commentBefore = joinLines(left.commentBefore, right.commentBefore);
  const comment = lesser(left.comment, right.comment);
  return { ...left, ...(commentBefore !== undefined && { commentBefore }), ...(comment !== undefined && { comment }) };
}

/** Comments of one line cannot be joined and taken apart again: the lesser one stays. */
function lesser(left: string | undefined, right: string | undefined): string | undefined {
  if (left === undefined || right === undefined) return left ?? right;
  return left <= right ? left : right;
}

/** Lines of both, each once. A single comment keeps its order. */
function joinLines(left: string | undefined, right: string | undefined): string | undefined {
  if (left === undefined || right === undefined || left === right) return left ?? right;
  return [...new Set([...left.split('\n'), ...right.split('\n')])].sort().join('\n');
}

const SECTIONS: readonly Section[] = [...ARCH_NAMES, 'other'];

/** By ABI, action, and name, sets last. */
function sorted(rules: ReadonlyMap<string, Rule>): readonly Rule[] {
  const keyed = [...rules.values()].map((rule) => {
    const abi = rule.only === undefined ? 0 : 1 + SECTIONS.indexOf(rule.only);
    const set = rule.call.kind === 'set' ? 1 : 0;
    return { rule, key: `${abi.toString(36)} ${printAction(rule.action)} ${set} ${subjectOf(rule)}` };
  });
  return keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)).map(({ rule }) => rule);
}
