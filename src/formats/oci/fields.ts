import { didYouMean } from '../../base/nearest.ts';
import { fail, type Locate, quote } from '../../policy/source.ts';
import type { JsonMember, JsonNode } from './json.ts';

/** Typed access to the parts of a profile; what is not understood becomes a note, what is wrong an error with its place. */
export class Fields {
  readonly locate: Locate;
  readonly notes: Set<string>;

  constructor(locate: Locate, notes: Set<string>) {
    this.locate = locate;
    this.notes = notes;
  }

  refuse(code: string, problem: string, node: { readonly offset: number }): never {
    fail(code, problem, this.locate, node.offset);
  }

  note(text: string, node: { readonly offset: number }): void {
    const line = this.locate(node.offset)?.line;
    this.notes.add(`line ${line}: ${text}`);
  }

  /** Values of an object's keys; null counts as left out, as Go writes it. */
  object(node: JsonNode, what: string, keys: readonly string[]): ReadonlyMap<string, JsonNode> {
    if (node.kind !== 'object') this.#wrongType(node, what, 'an object');
    for (const member of node.members) this.#checkKey(member, what, keys);
    const given = node.members.filter(({ value }) => !(value.kind === 'literal' && value.value === null));
    return new Map(given.map(({ key, value }) => [key, value]));
  }

  #checkKey({ key, keyOffset }: JsonMember, what: string, keys: readonly string[]): void {
    if (keys.includes(key)) return;
    const folded = keys.find((known) => known.toLowerCase() === key.toLowerCase());
    if (folded) {
      this.refuse('unknown_key', `${quote(key)}: write "${folded}", as some runtimes read it and others do not`, {
        offset: keyOffset,
      });
    }
    this.note(`${quote(key)} is no key of ${what}${didYouMean(key, keys) || ': not read'}`, { offset: keyOffset });
  }

  list(node: JsonNode | undefined, what: string): readonly JsonNode[] {
    if (node === undefined) return [];
    if (node.kind !== 'array') this.#wrongType(node, what, 'a list');
    return node.items;
  }

  text(node: JsonNode, what: string): string {
    if (node.kind !== 'string') this.#wrongType(node, what, 'text');
    return node.value;
  }

  texts(node: JsonNode | undefined, what: string): readonly string[] {
    return this.list(node, what).map((each) => this.text(each, what));
  }

  /** A whole number from 0 to `largest`. */
  integer(node: JsonNode, what: string, largest: bigint): bigint {
    if (node.kind !== 'number') this.#wrongType(node, what, 'a number');
    const value = /^[0-9]{1,20}$/.test(node.text) ? BigInt(node.text) : -1n;
    if (value < 0n || value > largest)
      this.refuse('number_range', `${what} is ${quote(node.text)}: wanted a whole number from 0 to ${largest}`, node);
    return value;
  }

  /** Looks a name up in a table. */
  named<T>(node: JsonNode, what: string, table: ReadonlyMap<string, T>): T {
    const name = this.text(node, what);
    if (table.has(name)) return table.get(name) as T;
    const near = didYouMean(name, table.keys());
    const known = [...table.keys()].join(', ');
    return this.refuse('unknown_name', `${quote(name)} is no ${what}${near || `: wanted one of ${known}`}`, node);
  }

  #wrongType(node: JsonNode, what: string, wanted: string): never {
    this.refuse('wrong_type', `${what} is ${describe(node)}: wanted ${wanted}`, node);
  }
}

function describe(node: JsonNode): string {
  if (node.kind === 'object') return 'an object';
  if (node.kind === 'array') return 'a list';
  if (node.kind === 'string') return quote(node.value);
  return node.kind === 'number' ? `the number ${quote(node.text)}` : String(node.value);
}
