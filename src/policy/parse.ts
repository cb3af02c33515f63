import * as v from 'valibot';
import { isMap, isScalar, isSeq, type Node, type YAMLMap, type YAMLSeq } from 'yaml';
import { didYouMean } from '../base/nearest.ts';
import { parseAction } from './action.ts';
import { checkPaths } from './check-paths.ts';
import { checkOnly, checkRules } from './check-rules.ts';
import { type CommentsByLine, commentsByLine } from './comments.ts';
import { parseCondition } from './condition.ts';
import { describe, guard, locateIn, pairsOf, parseYaml, plainValue, startOf } from './document.ts';
import type { Action, KeyComments, PathEntry, Paths, Policy, Rule, Section } from './model.ts';
import { parseCall } from './parse-call.ts';
import { type PolicyText, policySchema, RESERVED_KEYS } from './schema.ts';
import { fail, type Locate, locator, quote } from './source.ts';
import { checkTokens } from './tokens.ts';

const KEYS = [
  'selkie',
  'sets',
  'name',
  'arches',
  'default',
  'kernel',
  'unknown',
  'bad_arch',
  'syscalls',
  'only',
  'start',
  'service',
  'paths',
];

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
    const plain = plainValue(root, locate);
    checkKeys(root, locate);
    checkRules(root, text, locate);
    checkPaths(root, locate);
    checkShape(root, plain, text, locate);
    checkOnly(root, (plain as PolicyText).arches, locate);
    return new Reader(text, locate, commentsByLine(comments)).policy(root, plain as PolicyText);
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

/** Checks the rest by the schema; rules have passed `checkRules`. */
function checkShape(root: YAMLMap, plain: unknown, text: string, locate: Locate): void {
  const result = v.safeParse(policySchema, plain, { abortEarly: true });
  if (result.success) return;
  const [issue] = result.issues;
  const path = (issue.path ?? []).map((item) => item.key as string | number);
  if (issue.type === 'strict_object' && issue.received === 'undefined') {
    const hint = MISSING[String(path[0])] ?? issue.message;
    fail('missing_key', `the key "${path[0]}" is missing: ${hint}`, locate, startOf(root));
  }
  const node = nodeAt(root, path);
  if (['default', 'unknown', 'bad_arch'].includes(String(path[0]))) explainAction(node, text, locate);
  const code = issue.kind === 'schema' ? 'wrong_type' : 'bad_value';
  fail(code, `${describe(node)} is not accepted: ${issue.message}`, locate, startOf(node));
}

const MISSING: Readonly<Record<string, string>> = {
  selkie: 'write "selkie: 1", the version of the policy language',
  default: 'write for example "default: errno(EPERM)", what happens to calls that no rule names',
  syscalls: 'write "syscalls:", and under it actions with lists of calls',
};

/** Lets the reader of actions say what is wrong: it knows more than the schema. */
function explainAction(node: Node | null, text: string, locate: Locate): void {
  if (isScalar(node) && typeof node.value === 'string') parseAction(node.value, locateIn(node, text, locate));
  const first = isMap(node) ? pairsOf(node)[0] : undefined;
  if (first) parseAction(first.key, () => locate(startOf(first.keyNode)));
}

function nodeAt(root: Node, path: readonly (string | number)[]): Node | null {
  let node: Node | null = root;
  for (const step of path) {
    if (isSeq(node)) node = node.items[Number(step)] as Node;
    else if (isMap(node)) node = pairsOf(node).find(({ key }) => key === step)?.value ?? null;
  }
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

  policy(root: YAMLMap, plain: PolicyText): Policy {
    const nodes = new Map(pairsOf(root).map((pair) => [pair.key, pair]));
    checkTogether(plain, nodes, this.#locate);
    const order = pairsOf(root);
    const top = this.#take(startOf(order[0]?.keyNode));
    const read: { [key: string]: unknown } = {};
    for (const [index, { key, keyNode, value }] of order.entries()) {
      const comments =
        index === 0 ? { ...(top.behind !== undefined && { behind: top.behind }) } : this.#take(startOf(keyNode));
      this.#note(key, comments);
      if (key === 'syscalls' || key === 'start' || key === 'service') read[key] = this.#rules(key, value as YAMLMap);
      else if (key === 'only') {
        read.only = this.#only(value as YAMLMap);
        read.defaults = this.#defaults(value as YAMLMap);
      } else if (key === 'paths') read.paths = this.#paths(value as YAMLMap);
      else if (key === 'default' || key === 'unknown' || key === 'bad_arch') read[key] = this.#action(value);
    }
    this.#note('end', { ...spread('before', this.#comments.rest()) });
    return {
      selkie: 1,
      sets: 1,
      ...spread('name', plain.name),
      ...spread('arches', plain.arches),
      default: read.default as Action,
      ...spread('defaults', read.defaults as Policy['defaults']),
      ...spread('kernel', plain.kernel),
      ...spread('unknown', read.unknown as Action | undefined),
      badArch: (read.bad_arch as Action | undefined) ?? { kind: 'kill_process' },
      syscalls: [...(read.syscalls as readonly Rule[]), ...((read.only as readonly Rule[] | undefined) ?? [])],
      ...spread('start', read.start as readonly Rule[] | undefined),
      ...spread('service', read.service as readonly Rule[] | undefined),
      ...spread('paths', read.paths as Paths | undefined),
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

  #only(map: YAMLMap): readonly Rule[] {
    return pairsOf(map).flatMap(({ key, keyNode, value }) => {
      this.#note(`only.${key}`, this.#take(startOf(keyNode)));
      const rules = this.#rules(`only.${key}`, value as YAMLMap);
      return rules.map((rule) => ({ ...rule, only: key as Section }));
    });
  }

  /** Defaults of single ABIs; undefined where there are none. */
  #defaults(map: YAMLMap): Policy['defaults'] {
    const defaults: { [arch: string]: Action } = {};
    for (const { key: arch, value } of pairsOf(map))
      for (const pair of pairsOf(value as YAMLMap))
        if (pair.key === 'default') defaults[arch] = this.#action(pair.value);
    return Object.keys(defaults).length > 0 ? defaults : undefined;
  }

  #paths(map: YAMLMap): Paths {
    return Object.fromEntries(
      pairsOf(map).map(({ key, keyNode, value }) => {
        this.#note(`paths.${key}`, this.#take(startOf(keyNode)));
        if (key === 'abi') return [key, plainValue(value, this.#locate)];
        return [key, ((value as YAMLSeq).items as Node[]).map((item) => this.#path(item))];
      }),
    );
  }

  #path(item: Node): PathEntry {
    const node = isMap(item) ? (pairsOf(item)[0]?.keyNode ?? item) : item;
    const { before, behind } = this.#take(startOf(node));
    return {
      path: plainValue(node, this.#locate) as string,
      isOptional: isMap(item),
      ...spread('place', this.#locate(startOf(node))),
      ...spread('commentBefore', before),
      ...spread('comment', behind),
    };
  }

  #rules(owner: string, map: YAMLMap): readonly Rule[] {
    return pairsOf(map).flatMap(({ key, keyNode, value }) => {
      if (key === 'default') {
        this.#note(`${owner}.default`, this.#take(startOf(keyNode)));
        return [];
      }
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
