import { isMap, isScalar, isSeq, type Node, type YAMLMap } from 'yaml';
import { didYouMean } from '../base/nearest.ts';
import { NEWEST_FILE_ABI, PATH_LISTS } from '../facts/landlock.ts';
import { describe, pairsOf, startOf } from './document.ts';
import { fail, type Locate, quote } from './source.ts';

const KEYS: readonly string[] = ['abi', ...PATH_LISTS];

/** In bytes, without the final zero: PATH_MAX of include/uapi/linux/limits.h. */
const LONGEST_PATH = 4095;

/** What stands behind a path that may be missing: `- /lib64: optional`. */
export const OPTIONAL = 'optional';

/**
 * Checks `paths:` as the schema does and beyond it, with a message for each way to get it wrong.
 *
 * @throws {PolicyError} `wrong_type`, `bad_value`, `unknown_key`, `bad_path`, `duplicate_path`
 */
export function checkPaths(root: YAMLMap, locate: Locate): void {
  const found = pairsOf(root).find(({ key }) => key === 'paths');
  if (!found) return;
  const { keyNode, value } = found;
  if (!isMap(value)) wrong(value, 'wanted lists of paths: "read: [/usr]"', locate);
  const pairs = pairsOf(value);
  for (const pair of pairs) {
    if (!KEYS.includes(pair.key)) {
      const hint = didYouMean(pair.key, KEYS) || `: wanted ${KEYS.join(', ')}`;
      fail('unknown_key', `${quote(pair.key)} is no key of "paths"${hint}`, locate, startOf(pair.keyNode));
    }
    if (pair.key === 'abi') checkAbi(pair.value, locate);
    else checkList(pair.key, pair.value, locate);
  }
  if (pairs.some(({ key }) => key !== 'abi')) return;
  const problem = 'names no path: list what is permitted under read, write or execute, or leave "paths" out';
  fail('bad_value', `"paths" ${problem}`, locate, startOf(keyNode));
}

function checkAbi(value: Node | null, locate: Locate): void {
  const abi = isScalar(value) && typeof value.value === 'bigint' ? value.value : 0n;
  if (abi >= 1n && abi <= BigInt(NEWEST_FILE_ABI)) return;
  wrong(value, `wanted the oldest ABI of Landlock that will do, 1 to ${NEWEST_FILE_ABI}`, locate);
}

function checkList(list: string, value: Node | null, locate: Locate): void {
  if (!isSeq(value)) wrong(value, `wanted a list of paths: "${list}: [/usr]"`, locate);
  if (value.items.length === 0) {
    const problem = `an empty list says neither all nor nothing: leave "${list}" out, which permits nothing of it`;
    fail('bad_value', problem, locate, startOf(value));
  }
  const seen = new Map<string, Node>();
  for (const item of value.items as Node[]) {
    const node = pathNode(item, locate);
    const path = String(isScalar(node) ? node.value : '');
    const first = seen.get(path);
    if (first) {
      const line = locate(startOf(first))?.line;
      fail('duplicate_path', `${quote(path)} is listed already, on line ${line}`, locate, startOf(node));
    }
    seen.set(path, node);
  }
}

/** The node of an entry's path, which is checked. */
function pathNode(item: Node, locate: Locate): Node {
  let node = item;
  if (isMap(item)) {
    const [pair, second] = pairsOf(item);
    const value = pair?.value;
    if (!pair || second || !isScalar(value) || value.value !== OPTIONAL) {
      const problem = `a map is not accepted: wanted a path, or one that may be missing: "/lib64: ${OPTIONAL}"`;
      fail('bad_value', problem, locate, startOf(item));
    }
    node = pair.keyNode;
  }
  if (!isScalar(node) || typeof node.value !== 'string') wrong(node, 'wanted a path', locate);
  const problem = pathProblem(node.value);
  if (problem !== undefined)
    fail('bad_path', `${quote(node.value)} is not accepted: ${problem}`, locate, startOf(node));
  return node;
}

/** What is wrong with a path of a policy, or nothing. The same file has one spelling, so that policies can be compared. */
export function pathProblem(path: string): string | undefined {
  if (path === '~' || path.startsWith('~/')) return 'a policy has no home folder: write the path from / on';
  if (path.startsWith('$')) return 'variables are not replaced: write the path from / on';
  if (!path.startsWith('/')) return 'wanted a path from / on: where a program is started must not matter';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(path)) return 'it holds a control character';
  if (path.includes('*')) return 'there are no patterns: name the folder, all beneath it belongs to it';
  if (new TextEncoder().encode(path).length > LONGEST_PATH) return `it is longer than ${LONGEST_PATH} bytes`;
  if (path === '/') return undefined;
  const parts = path.slice(1).split('/');
  if (parts.includes('..') || parts.includes('.')) return 'write it without "." and ".."';
  return parts.includes('') ? 'write it with single slashes, and none at the end' : undefined;
}

function wrong(node: Node | null, wanted: string, locate: Locate): never {
  fail('wrong_type', `${describe(node)} is not accepted: ${wanted}`, locate, startOf(node));
}
