import { fail, type Locate, quote } from '../../policy/source.ts';
import { checkSize } from '../../policy/tokens.ts';

/** JSON with places and exact numbers, by RFC 8259: what JSON.parse rounds or forgives would change a profile. */
export type JsonNode = { readonly offset: number } & (
  | { readonly kind: 'object'; readonly members: readonly JsonMember[] }
  | { readonly kind: 'array'; readonly items: readonly JsonNode[] }
  | { readonly kind: 'string'; readonly value: string }
  /** As written. */
  | { readonly kind: 'number'; readonly text: string }
  | { readonly kind: 'literal'; readonly value: boolean | null }
);

export interface JsonMember {
  readonly key: string;
  readonly keyOffset: number;
  readonly value: JsonNode;
}

/** A profile needs six levels. */
const MAX_DEPTH = 32;
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON wants them escaped
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const WORD = /[A-Za-z0-9_.+-]+/y;
const SPACE = /[ \t\r\n]*/y;
const LITERALS: ReadonlyMap<string, boolean | null> = new Map([
  ['true', true],
  ['false', false],
  ['null', null],
]);

/**
 * Reads a JSON text.
 *
 * @throws {PolicyError} `too_large` (1 MiB), `too_deep`, `json`, `duplicate_key` (letter case aside: Go's reader takes both for one)
 */
export function parseJson(text: string, locate: Locate): JsonNode {
  checkSize(text, locate(0)?.file);
  return new Parser(text, locate).document();
}

class Parser {
  readonly #text: string;
  readonly #locate: Locate;
  #at = 0;
  #depth = 0;

  constructor(text: string, locate: Locate) {
    this.#text = text;
    this.#locate = locate;
  }

  document(): JsonNode {
    const value = this.#value();
    if (this.#peek() !== '') this.#refuse('wanted nothing behind the value');
    return value;
  }

  #value(): JsonNode {
    const start = this.#peek();
    const offset = this.#at;
    if (start === '{') return { kind: 'object', offset, members: this.#inside('}', () => this.#members()) };
    if (start === '[')
      return { kind: 'array', offset, items: this.#inside(']', () => this.#list(() => this.#value())) };
    if (start === '"') return { kind: 'string', offset, value: this.#string() };
    const number = this.#match(NUMBER);
    if (number !== undefined && !/[\w.+-]/.test(this.#text[this.#at] ?? ''))
      return { kind: 'number', offset, text: number };
    this.#at = offset;
    const word = this.#match(WORD) ?? '';
    const literal = LITERALS.get(word);
    this.#at = literal === undefined ? offset : this.#at;
    if (literal === undefined) this.#refuse('wanted a value');
    return { kind: 'literal', offset, value: literal };
  }

  /** What stands between the bracket here and the one that closes it. */
  #inside<T>(close: string, content: () => readonly T[]): readonly T[] {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH)
      fail('too_deep', `the text is nested deeper than ${MAX_DEPTH} levels`, this.#locate, this.#at);
    this.#at += 1;
    const items = this.#peek() === close ? [] : content();
    if (this.#peek() !== close) this.#refuse(`wanted "," or "${close}"`);
    this.#at += 1;
    this.#depth -= 1;
    return items;
  }

  #list<T>(item: () => T): readonly T[] {
    const items = [item()];
    while (this.#peek() === ',') {
      this.#at += 1;
      items.push(item());
    }
    return items;
  }

  #members(): readonly JsonMember[] {
    const seen = new Set<string>();
    return this.#list(() => {
      if (this.#peek() !== '"') this.#refuse('wanted a key in quotes');
      const keyOffset = this.#at;
      const key = this.#string();
      const folded = key.toLowerCase();
      if (seen.has(folded))
        fail('duplicate_key', `${quote(key)} stands in this object already: join the two`, this.#locate, keyOffset);
      seen.add(folded);
      if (this.#peek() !== ':') this.#refuse('wanted ":" behind the key');
      this.#at += 1;
      return { key, keyOffset, value: this.#value() };
    });
  }

  #string(): string {
    const written = this.#match(STRING);
    if (written === undefined) this.#refuse('this string does not end, or holds a character that must be escaped');
    return JSON.parse(written) as string;
  }

  /** The next character that is no space; empty at the end. */
  #peek(): string {
    this.#match(SPACE);
    return this.#text[this.#at] ?? '';
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    this.#at += found?.length ?? 0;
    return found;
  }

  #refuse(wanted: string): never {
    const found =
      this.#at >= this.#text.length ? 'the text ends here' : `found ${quote(this.#text[this.#at] as string)}`;
    fail('json', `this is no JSON: ${found}, ${wanted}`, this.#locate, this.#at);
  }
}
