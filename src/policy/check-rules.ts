import { isMap, isScalar, isSeq, type Node, type YAMLMap } from 'yaml';
import { type Place, PolicyError } from '../base/errors.ts';
import { didYouMean } from '../base/nearest.ts';
import { ARCH_NAMES, type ArchName } from '../facts/arches.ts';
import { parseAction } from './action.ts';
import { describe, locateIn, pairsOf, startOf } from './document.ts';
import type { Section } from './model.ts';
import { CALL_PATTERN, CONDITION_PATTERN } from './schema.ts';
import { fail, type Locate, quote } from './source.ts';

/**
 * Checks the shape of `syscalls:`, `only:`, `start:` and `service:` as the schema does, but with a message for each way to get it wrong.
 *
 * @throws {PolicyError} `wrong_type`, `bad_value`, and those of `parseAction`
 */
export function checkRules(root: YAMLMap, text: string, locate: Locate): void {
  for (const { key, value } of pairsOf(root)) {
    if (key === 'syscalls' || key === 'start' || key === 'service') checkActions(value, text, locate);
    if (key !== 'only') continue;
    if (!isMap(value)) wrongType(value, 'wanted ABIs, and under each actions with lists of calls', locate);
    for (const { key: arch, keyNode, value: actions } of pairsOf(value)) {
      checkArch(arch, keyNode, locate);
      checkActions(actions, text, locate, arch);
    }
  }
}

function checkArch(arch: string, keyNode: Node, locate: Locate): void {
  const sections: readonly string[] = [...ARCH_NAMES, 'other'];
  if (sections.includes(arch)) return;
  const near = didYouMean(arch, sections) || `: wanted one of ${sections.join(', ')}`;
  fail('bad_value', `${quote(arch)} is no ABI${near}`, locate, startOf(keyNode));
}

function checkActions(value: Node | null, text: string, locate: Locate, section?: string): void {
  if (!isMap(value)) wrongType(value, 'wanted actions with lists of calls, such as "allow: [read]"', locate);
  for (const { key: action, keyNode, value: list } of pairsOf(value)) {
    if (section === 'other' && action === 'default')
      fail('bad_value', '"default" has no place under "other": its calls get bad_arch', locate, startOf(keyNode));
    if (section !== undefined && action === 'default') {
      checkDefault(list, text, locate);
      continue;
    }
    parseAction(action, locateIn(keyNode, text, locate));
    if (!isSeq(list)) wrongType(list, 'wanted a list of calls', locate);
    for (const item of list.items as Node[]) checkRule(item, text, locate);
  }
}

function checkDefault(value: Node | null, text: string, locate: Locate): void {
  if (!isScalar(value) || typeof value.value !== 'string')
    wrongType(value, 'wanted an action such as errno(EPERM)', locate);
  parseAction(value.value, locateIn(value, text, locate));
}

/**
 * Checks that a policy which lists its ABIs has rules of `only:` for these alone.
 *
 * @throws {PolicyError} `only_arch`
 */
export function checkOnly(root: YAMLMap, arches: readonly ArchName[] | undefined, locate: Locate): void {
  const only = pairsOf(root).find(({ key }) => key === 'only')?.value;
  if (!isMap(only)) return;
  for (const { key, keyNode } of pairsOf(only)) checkListed(key as Section, arches, locate(startOf(keyNode)));
}

/** Refuses rules for an ABI that the policy does not list: they would never be in force. @throws {PolicyError} `only_arch` */
export function checkListed(only: Section, arches: readonly ArchName[] | undefined, place: Place | undefined): void {
  if (!arches || only === 'other' || arches.includes(only)) return;
  const problem = `"only" has rules for ${only}, which "arches" does not list (${arches.join(', ')})`;
  throw new PolicyError('only_arch', `${problem}: add it there, or leave the rules out`, place);
}

function checkRule(item: Node, text: string, locate: Locate): void {
  if (!isMap(item)) {
    checkCall(item, text, locate);
    return;
  }
  const [pair, second] = pairsOf(item);
  if (!pair || second) {
    const problem = `a map of ${item.items.length} is not accepted: wanted a call, or one call with its condition`;
    fail('bad_value', problem, locate, startOf(second ? second.keyNode : item));
  }
  checkCall(pair.keyNode, text, locate);
  const { value } = pair;
  if (!isScalar(value) || typeof value.value !== 'string') wrongType(value, 'wanted a condition as text', locate);
  if (CONDITION_PATTERN.test(value.value)) return;
  const wanted = 'wanted a condition that starts with an argument, "not" or "("';
  fail('bad_value', `${describe(value)} is not accepted: ${wanted}`, locate, startOf(value));
}

function checkCall(node: Node, text: string, locate: Locate): void {
  if (!isScalar(node) || typeof node.value !== 'string') {
    const number = isScalar(node) && typeof node.value !== 'boolean' ? ': a number is written syscall(number)' : '';
    wrongType(node, `wanted a call${number || ', or one call with its condition'}`, locate);
  }
  const { value } = node;
  if (CALL_PATTERN.test(value)) return;
  const problem = `${quote(value)} is not accepted: ${callHint(value)}`;
  fail('bad_value', problem, locateIn(node, text, locate), 0);
}

function callHint(text: string): string {
  if (/^[@a-z_0-9-]+:\s/.test(text))
    return 'quotes make one text of call and condition: write name: condition without them';
  if (/^@/.test(text)) return 'a set is named by small letters, digits and "-"';
  return 'wanted a call: a name, "@set" or syscall(number)';
}

function wrongType(node: Node | null, wanted: string, locate: Locate): never {
  fail('wrong_type', `${describe(node)} is not accepted: ${wanted}`, locate, startOf(node));
}
