import { isMap, isScalar, isSeq, type Node, type YAMLMap } from 'yaml';
import { parseAction } from './action.ts';
import { describe, locateIn, pairsOf, startOf } from './document.ts';
import { CALL_PATTERN, CONDITION_PATTERN } from './schema.ts';
import { fail, type Locate, quote } from './source.ts';

/**
 * Checks the shape of `syscalls:` and `start:` as the schema does, but with a message for each way to get it wrong.
 *
 * @throws {PolicyError} `wrong_type`, `bad_value`, and those of `parseAction`
 */
export function checkRules(root: YAMLMap, text: string, locate: Locate): void {
  for (const { key, value } of pairsOf(root)) {
    if (key !== 'syscalls' && key !== 'start') continue;
    if (!isMap(value)) wrongType(value, 'wanted actions with lists of calls, such as "allow: [read]"', locate);
    for (const { key: action, keyNode, value: list } of pairsOf(value)) {
      parseAction(action, locateIn(keyNode, text, locate));
      if (!isSeq(list)) wrongType(list, 'wanted a list of calls', locate);
      for (const item of list.items as Node[]) checkRule(item, text, locate);
    }
  }
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
