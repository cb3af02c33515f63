import * as v from 'valibot';
import { isMap, isSeq, type Node, type YAMLMap, type YAMLSeq } from 'yaml';
import { didYouMean } from '../base/nearest.ts';
import { parseAction } from './action.ts';
import { type CommentsByLine, commentsByLine } from './comments.ts';
import { parseCondition } from './condition.ts';
import { describe, guard, locateIn, pairsOf, parseYaml, plainValue, startOf } from './document.ts';
import type { Action, KeyComments, Policy, Rule } from './model.ts';
import { parseCall } from './parse-call.ts';
import { type PolicyText, policySchema, RESERVED_KEYS } from './schema.ts';
import { fail, type Locate, locator, quote } from './source.ts';
import { checkTokens } from './tokens.ts';

const KEYS = ['selkie', 'sets', 'name', 'arches', 'default', 'kernel', 'unknown', 'bad_arch', 'syscalls', 'start'];

/**
 * Reads a policy from YAML or JSON. Names of calls, arguments and constants stay unresolved: see `resolvePolicy`.
 *
 * @param options - `file`: the name that messages show
 * @throws {PolicyError} the first fault, with line and column
 */
export function parsePolicy(text: string, options: { readonly file?: string } = {}): Policy {
  const locate = locator(text, options.file);
  return guard(() => {
    const comments = checkTokens(text, locate, options.file);
    const root = parseYaml(text, locate);
    checkKeys(root, locate);
    checkShape(root, text, locate);
    return new Reader(text, locate, commentsByLine(comments)).policy(root);
  }, locate);
}

function checkKeys(root: YAMLMap, locate: Locate): void {
  for (const { key, keyNode } of pairsOf(root)) {
    if (KEYS.includes(key)) continue;
    if (RESERVED_KEYS.includes(key)) {
      fail(
        'not_yet',
        `the key "${key}" is reserved: this version of Selkie does not read it, not yet`,
        locate,
        startOf(keyNode),
      );
    }
    const near = didYouMean(key, KEYS);
    fail(
      'unknown_key',
      `${quote(key)} is no key of a policy${near || `: wanted ${KEYS.join(', ')}`}`,
      locate,
      startOf(keyNode),
    );
  }
}

function checkShape(root: YAMLMap, text: string, locate: Locate): void {
  const result = v.safeParse(policySchema, plainValue(root, locate), { abortEarly: true });
  if (result.success) return;
  const [issue] = result.issues;
  const path = (issue.path ?? []).map((item) => item.key as string | number);
  if (issue.type === 'strict_object' && issue.received === 'undefined') {
    fail(
      'missing_key',
      `the key "${path[0]}" is missing: ${MISSING[String(path[0])] ?? issue.message}`,
      locate,
      startOf(root),
    );
  }
  const node = nodeAt(root, path, issue.path?.at(-1)?.origin === 'key');
  explain(node, path, text, locate);
  const code = issue.kind === 'schema' ? 'wrong_type' : 'bad_value';
  fail(code, `${describe(node)} is not accepted: ${issue.message}`, locate, startOf(node));
}

const MISSING: Readonly<Record<string, string>> = {
  selkie: 'write "selkie: 1", the version of the policy language',
  default: 'write for example "default: errno(EPERM)", what happens to calls that no rule names',
  syscalls: 'write "syscalls:", and under it actions with lists of calls',
};

/** Gives better messages than the schema can, by the readers that know the reason. */
function explain(node: Node | null, path: readonly (string | number)[], text: string, locate: Locate): void {
  const inner = locateIn(node, text, locate);
  const value = plainValue(node, locate);
  const [key, , index] = path;
  const rules = key === 'syscalls' || key === 'start';
  if (rules && path.length === 1 && Array.isArray(value)) {
    fail(
      'wrong_type',
      `found a list: wanted actions with lists of calls, such as "allow: [read]"`,
      locate,
      startOf(node),
    );
  }
  if (typeof value === 'string') {
    const action = rules ? path.length === 2 : ['default', 'unknown', 'bad_arch'].includes(String(key));
    if (action) parseAction(value, inner);
    if (rules && index !== undefined && path.length >= 3) explainCall(value, node, locate);
  }
  if (['default', 'unknown', 'bad_arch'].includes(String(key)) && isMap(node)) {
    const [first] = pairsOf(node);
    if (first) parseAction(first.key, () => locate(startOf(first.keyNode)));
  }
}

function explainCall(value: string, node: Node | null, locate: Locate): void {
  const hint = /^[@a-z_0-9-]+:\s/.test(value)
    ? 'the quotes make one text of call and condition: write name: condition without them'
    : /^@/.test(value)
      ? 'a set is named by small letters, digits and "-"'
      : undefined;
  if (hint) fail('bad_value', `${quote(value)} is no call: ${hint}`, locate, startOf(node));
  if (/^[0-9]/.test(value))
    fail('bad_value', `${quote(value)} is no call: write syscall(number)`, locate, startOf(node));
}

function nodeAt(root: Node, path: readonly (string | number)[], wantKey: boolean): Node | null {
  let node: Node | null = root;
  path.forEach((step, index) => {
    if (isSeq(node)) node = node.items[Number(step)] as Node;
    else if (isMap(node)) {
      const pair = pairsOf(node).find(({ key }) => key === step);
      node = (wantKey && index === path.length - 1 ? pair?.keyNode : pair?.value) ?? null;
    }
  });
  return node;
}

/** Makes the model from a document whose shape is checked. */
class Reader {
  readonly #text: string;
  readonly #locate: Locate;
  readonly #comments: CommentsByLine;
  readonly #keyComments: Record<string, KeyComments> = {};

  constructor(text: string, locate: Locate, comments: CommentsByLine) {
    this.#text = text;
    this.#locate = locate;
    this.#comments = comments;
  }

  policy(root: YAMLMap): Policy {
    const nodes = new Map(pairsOf(root).map((pair) => [pair.key, pair]));
    const plain = plainValue(root, this.#locate) as PolicyText;
    checkTogether(plain, nodes, this.#locate);
    const order = pairsOf(root);
    const top = this.#take(startOf(order[0]?.keyNode));
    const read: { [key: string]: unknown } = {};
    for (const [index, { key, keyNode, value }] of order.entries()) {
      const comments =
        index === 0 ? { ...(top.behind !== undefined && { behind: top.behind }) } : this.#take(startOf(keyNode));
      this.#note(key, comments);
      if (key === 'syscalls' || key === 'start') read[key] = this.#rules(key, value as YAMLMap);
      else if (key === 'default' || key === 'unknown' || key === 'bad_arch') read[key] = this.#action(value);
    }
    this.#note('end', { ...spread('before', this.#comments.rest()) });
    return {
      selkie: 1,
      sets: 1,
      ...spread('name', plain.name),
      ...spread('arches', plain.arches),
      default: read.default as Action,
      ...spread('kernel', plain.kernel),
      ...spread('unknown', read.unknown as Action | undefined),
      badArch: (read.bad_arch as Action | undefined) ?? { kind: 'kill_process' },
      syscalls: read.syscalls as readonly Rule[],
      ...spread('start', read.start as readonly Rule[] | undefined),
      ...spread('commentBefore', top.before),
      ...(Object.keys(this.#keyComments).length > 0 && { keyComments: this.#keyComments }),
    };
  }

  #take(offset: number): KeyComments {
    return this.#comments.take(this.#locate(offset)?.line ?? 1);
  }

  #note(key: string, comments: KeyComments): void {
    if (comments.before !== undefined || comments.behind !== undefined) this.#keyComments[key] = comments;
  }

  #action(node: Node | null): Action {
    return parseAction(plainValue(node, this.#locate) as string, locateIn(node, this.#text, this.#locate));
  }

  #rules(owner: string, map: YAMLMap): readonly Rule[] {
    return pairsOf(map).flatMap(({ key, keyNode, value }) => {
      const action = parseAction(key, locateIn(keyNode, this.#text, this.#locate));
      this.#note(`${owner}.${key}`, this.#take(startOf(keyNode)));
      return ((value as YAMLSeq).items as Node[]).map((item) => this.#rule(action, item));
    });
  }

  #rule(action: Action, node: Node): Rule {
    const pair = isMap(node) ? pairsOf(node)[0] : undefined;
    const callNode = pair?.keyNode ?? node;
    const text = plainValue(callNode, this.#locate) as string;
    const place = this.#locate(startOf(callNode));
    const conditionNode = pair?.value ?? null;
    const condition =
      conditionNode &&
      parseCondition(
        plainValue(conditionNode, this.#locate) as string,
        locateIn(conditionNode, this.#text, this.#locate),
      );
    const { before, behind } = this.#take(startOf(callNode));
    return {
      action,
      call: parseCall(text, locateIn(callNode, this.#text, this.#locate)),
      ...(condition && { condition }),
      ...spread('place', place),
      ...spread('commentBefore', before),
      ...spread('comment', behind),
    };
  }
}

function spread<K extends string, T>(key: K, value: T | undefined): { [P in K]?: T } {
  return (value === undefined ? {} : { [key]: value }) as { [P in K]?: T };
}

function checkTogether(plain: PolicyText, nodes: ReadonlyMap<string, { keyNode: Node }>, locate: Locate): void {
  const repeated = plain.arches?.find((arch, index) => plain.arches?.indexOf(arch) !== index);
  if (repeated) fail('bad_value', `"${repeated}" is listed twice`, locate, startOf(nodes.get('arches')?.keyNode));
  if ((plain.kernel === undefined) === (plain.unknown === undefined)) return;
  const [has, lacks] = plain.kernel === undefined ? ['unknown', 'kernel'] : ['kernel', 'unknown'];
  fail(
    'missing_key',
    `"${has}" needs "${lacks}" beside it: unknown governs what is newer than kernel`,
    locate,
    startOf(nodes.get(has)?.keyNode),
  );
}
