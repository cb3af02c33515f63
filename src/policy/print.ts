import { PATH_LISTS } from '../facts/landlock.ts';
import { printAction } from './action.ts';
import { OPTIONAL } from './check-paths.ts';
import { printCondition } from './condition-print.ts';
import type { Action, Call, KeyComments, PathEntry, Paths, Policy, Rule, Section } from './model.ts';

/**
 * Writes a policy as YAML, one call a line. Rules keep their order, actions the order in which they first occur. What this
 * prints, `parsePolicy` reads back: print(parse(print(p))) = print(p).
 */
export function printPolicy(policy: Policy): string {
  const lines = commentLines(policy.commentBefore, '');
  const key = (name: string, text: string): void => {
    const comments = policy.keyComments?.[name];
    lines.push(...commentLines(comments?.before, ''), withComment(`${name}:${text}`, comments?.behind));
  };
  key('selkie', ' 1');
  key('sets', ' 1');
  if (policy.name !== undefined) key('name', ` ${printText(policy.name)}`);
  if (policy.arches) key('arches', ` [${policy.arches.join(', ')}]`);
  key('default', ` ${printAction(policy.default)}`);
  if (policy.kernel !== undefined) key('kernel', ` ${JSON.stringify(policy.kernel)}`);
  if (policy.unknown) key('unknown', ` ${printAction(policy.unknown)}`);
  key('bad_arch', ` ${printAction(policy.badArch)}`);
  const section = (name: string, rules: readonly Rule[]): void => {
    key(name, rules.length === 0 ? ' {}' : '');
    lines.push(...printRules(name, rules, policy.keyComments ?? {}));
  };
  section(
    'syscalls',
    policy.syscalls.filter(({ only }) => only === undefined),
  );
  const only = printOnly(policy);
  if (only.length > 0) {
    key('only', '');
    lines.push(...only);
  }
  if (policy.start) section('start', policy.start);
  if (policy.service) section('service', policy.service);
  if (policy.paths) {
    key('paths', '');
    lines.push(...printPaths(policy.paths, policy.keyComments ?? {}));
  }
  lines.push(...commentLines(policy.keyComments?.end?.before, ''));
  return `${lines.join('\n')}\n`;
}

/** The rules of single ABIs, ABIs in the order in which they first occur; `other` last. */
function printOnly({ syscalls, defaults = {}, keyComments = {} }: Policy): string[] {
  const named = new Set<Section>([
    ...(Object.keys(defaults) as Section[]),
    ...syscalls.flatMap(({ only }) => only ?? []),
  ]);
  const arches = [...named].sort((left, right) => Number(left === 'other') - Number(right === 'other'));
  return arches.flatMap((arch) => {
    const owner = `only.${arch}`;
    const own = keyComments[owner];
    const rules = syscalls.filter(({ only }) => only === arch);
    const head = withComment(`${arch}:`, own?.behind);
    const body = [
      head,
      ...printDefault(arch === 'other' ? undefined : defaults[arch], keyComments[`${owner}.default`]),
      ...printRules(owner, rules, keyComments),
    ];
    return [...commentLines(own?.before, ''), ...body].map((line) => `  ${line}`);
  });
}

function printDefault(action: Action | undefined, comments: KeyComments | undefined): string[] {
  if (!action) return [];
  return [...commentLines(comments?.before, '  '), withComment(`  default: ${printAction(action)}`, comments?.behind)];
}

function printRules(owner: string, rules: readonly Rule[], comments: Readonly<Record<string, KeyComments>>): string[] {
  const groups = new Map<string, Rule[]>();
  for (const rule of rules) {
    const action = printAction(rule.action);
    const group = groups.get(action);
    if (group) group.push(rule);
    else groups.set(action, [rule]);
  }
  return [...groups].flatMap(([action, group]) => {
    const own = comments[`${owner}.${action}`];
    const head = withComment(`  ${action}:`, own?.behind);
    return [...commentLines(own?.before, '  '), head, ...group.flatMap(printRule)];
  });
}

function printRule(rule: Rule): string[] {
  const call = rule.call.kind === 'set' ? JSON.stringify(printCall(rule.call)) : printCall(rule.call);
  const text = rule.condition ? `${call}: ${printCondition(rule.condition)}` : call;
  return [...commentLines(rule.commentBefore, '    '), withComment(`    - ${text}`, rule.comment)];
}

function printPaths(paths: Paths, comments: Readonly<Record<string, KeyComments>>): string[] {
  const key = (name: string, text: string): string[] => {
    const own = comments[`paths.${name}`];
    return [...commentLines(own?.before, '  '), withComment(`  ${name}:${text}`, own?.behind)];
  };
  return [
    ...(paths.abi === undefined ? [] : key('abi', ` ${paths.abi}`)),
    ...PATH_LISTS.flatMap((list) => (paths[list] ? [...key(list, ''), ...paths[list].flatMap(printPath)] : [])),
  ];
}

function printPath({ path, isOptional, commentBefore, comment }: PathEntry): string[] {
  const text = /^[A-Za-z0-9/._+-]+$/.test(path) ? path : JSON.stringify(path);
  const entry = isOptional ? `${text}: ${OPTIONAL}` : text;
  return [...commentLines(commentBefore, '    '), withComment(`    - ${entry}`, comment)];
}

/** Writes what a rule is about: `read`, `@go`, `syscall(335)`, `syscall(0x80000000..0xbfffffff)`. */
export function printCall(call: Call): string {
  if (call.kind === 'number') return `syscall(${call.number})`;
  if (call.kind === 'range') return `syscall(${rangeEnd(call.from)}..${rangeEnd(call.to)})`;
  return call.kind === 'set' ? `@${call.name}` : call.name;
}

/** Numbers that no table has are bits to a reader. */
function rangeEnd(nr: number): string {
  return nr < 0x1_0000 ? String(nr) : `0x${nr.toString(16)}`;
}

function commentLines(comment: string | undefined, indent: string): string[] {
  return comment === undefined ? [] : comment.split('\n').map((line) => `${indent}#${line}`);
}

/** A comment of several lines, joined from several places, becomes one line. */
function withComment(text: string, comment: string | undefined): string {
  return comment === undefined ? text : `${text} #${comment.replaceAll('\n', ';')}`;
}

/** Plain where YAML cannot take it for anything else, quoted otherwise. */
function printText(text: string): string {
  const plain = /^[A-Za-z][A-Za-z0-9_.-]*$/.test(text) && !/^(?:true|false|null|yes|no|on|off|y|n)$/i.test(text);
  return plain ? text : JSON.stringify(text);
}
