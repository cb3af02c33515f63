import { isMap, isScalar, isSeq, type Node, type Pair, parseDocument, type YAMLMap } from 'yaml';
import { PolicyError } from '../base/errors.ts';
import { fail, type Locate, quote } from './source.ts';

/** The YAML document under a policy: places of its parts, and its values without YAML's own types. */

/**
 * Parses YAML 1.2 (JSON is a part of it), every warning an error. The text has passed `checkTokens`.
 *
 * @throws {PolicyError} `yaml`, `empty`, `wrong_type`
 */
export function parseYaml(text: string, locate: Locate): YAMLMap<Node, Node | null> {
  const document = parseDocument(text, {
    version: '1.2',
    schema: 'core',
    intAsBigInt: true,
    merge: false,
    // Compares every key with every other one: plainValue does it in one go.
    uniqueKeys: false,
    prettyErrors: false,
    logLevel: 'silent',
  });
  const fault = document.errors[0] ?? document.warnings[0];
  if (fault) fail('yaml', `this is no YAML: ${firstSentence(fault.message)}`, locate, fault.pos[0]);
  const root = document.contents;
  if (root === null || (isScalar(root) && root.value === null)) {
    fail('empty', 'the text holds no policy: start with "selkie: 1"', locate, 0);
  }
  if (!isMap(root))
    fail('wrong_type', `found ${describe(root)}: wanted a map of keys, "selkie: 1" first`, locate, startOf(root));
  return root as YAMLMap<Node, Node | null>;
}

function firstSentence(message: string): string {
  return (message.split('\n')[0] ?? '').replace(/ at line \d+.*$/, '').replace(/:$/, '');
}

/** Offset where a node's text begins. */
export function startOf(node: Node | null | undefined): number {
  return node?.range?.[0] ?? 0;
}

/** What a node is, for messages. */
export function describe(node: Node | null | undefined): string {
  if (isMap(node)) return 'a map';
  if (isSeq(node)) return 'a list';
  if (!isScalar(node) || node.value === null) return 'nothing';
  const { value } = node;
  return typeof value === 'string'
    ? quote(value)
    : `the ${typeof value === 'boolean' ? 'boolean' : 'number'} ${node.source ?? value}`;
}

/** The pairs of a map, in order, with their keys as text. */
export function pairsOf(
  map: YAMLMap,
): readonly { readonly key: string; readonly keyNode: Node; readonly value: Node | null }[] {
  return (map.items as Pair<Node, Node | null>[]).map((pair) => ({
    key: isScalar(pair.key) ? String(pair.key.value) : '',
    keyNode: pair.key,
    value: pair.value,
  }));
}

/**
 * The values of a document without YAML's types; numbers that fit are `number`, others stay `bigint`.
 *
 * @throws {PolicyError} `null_value` for a missing value, `wrong_type` for a key that is no text, `duplicate_key`
 */
export function plainValue(node: Node | null, locate: Locate, owner: Node | null = node): unknown {
  if (isMap(node)) return plainMap(node, locate);
  if (isSeq(node)) return node.items.map((item) => plainValue(item as Node, locate));
  if (!isScalar(node) || node.value === null) {
    const subject = owner && owner !== node ? `${describe(owner)} has no value` : 'a value is missing here';
    fail('null_value', `${subject}: fill it in, or leave it out (without its ":")`, locate, startOf(owner));
  }
  const { value } = node;
  return typeof value === 'bigint' && Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

function plainMap(map: YAMLMap, locate: Locate): unknown {
  const values = new Map<string, unknown>();
  for (const { key, keyNode, value } of pairsOf(map)) {
    if (!isScalar(keyNode) || typeof keyNode.value !== 'string') {
      fail('wrong_type', `found ${describe(keyNode)} as a key: wanted a word`, locate, startOf(keyNode));
    }
    if (values.has(key)) {
      fail('duplicate_key', `${quote(key)} stands in this map already: join the two`, locate, startOf(keyNode));
    }
    values.set(key, plainValue(value, locate, keyNode));
  }
  return Object.fromEntries(values);
}

/**
 * Places of offsets in the value of a string node. A quoted text with escapes, or one that spans lines, is placed at its start.
 */
export function locateIn(node: Node | null, source: string, locate: Locate): Locate {
  const value = isScalar(node) && typeof node.value === 'string' ? node.value : '';
  const start = startOf(node);
  for (const shift of [0, 1]) {
    if (source.startsWith(value, start + shift)) return (offset) => locate(start + shift + offset);
  }
  return () => locate(start);
}

/** Wraps what the YAML parser itself may throw on input that nobody foresaw. */
export function guard<T>(work: () => T, locate: Locate): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof PolicyError) throw error;
    const message = error instanceof Error ? error.message : String(error);
    throw new PolicyError('yaml', `this is no YAML: ${firstSentence(message)}`, locate(0), { cause: error });
  }
}
