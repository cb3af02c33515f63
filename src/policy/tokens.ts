import { CST, Lexer } from 'yaml';
import { PolicyError } from '../base/errors.ts';
import { fail, quote } from './source.ts';

/** Larger texts are refused: no reviewed policy is near it. */
const MAX_BYTES = 1 << 20;
/** So are texts of more tokens, spaces included: 60,000 are some 7,000 rules, and the YAML parser takes long for more. */
const MAX_TOKENS = 60_000;
/** A policy needs six levels. */
const MAX_DEPTH = 32;

/** A comment, without its `#`. */
export interface Comment {
  readonly text: string;
  readonly line: number;
  /** It has its line for itself. */
  readonly alone: boolean;
}

/** Features of YAML that make a text mean something else than what one sees, and what they are called. */
const REFUSED: Readonly<Record<string, readonly [code: string, problem: string]>> = {
  anchor: ['yaml_anchor', 'anchors ("&") have no place in a policy: write each value out'],
  alias: ['yaml_alias', 'aliases ("*") have no place in a policy: write each value out'],
  tag: ['yaml_tag', 'tags ("!") have no place in a policy: in conditions write "not" instead of "!"'],
  'directive-line': ['yaml_directive', 'directives ("%") have no place in a policy'],
};

/**
 * Refuses what the YAML parser must not see (it can abort the process on deep nesting) and what no policy may hold. Works
 * on the tokens, without recursion.
 *
 * @returns the comments, in the order of the text
 * @throws {PolicyError} `too_large`, `too_deep`, `yaml_*`, `unquoted_set`
 */
export function checkTokens(
  text: string,
  locate: (offset: number) => { line: number; column: number },
  file?: string,
): readonly Comment[] {
  checkSize(text, file);
  return new TokenCheck(locate).run(text);
}

/** Refuses texts over 1 MiB: `too_large`. */
export function checkSize(text: string, file?: string): void {
  if (text.length <= MAX_BYTES && new TextEncoder().encode(text).length <= MAX_BYTES) return;
  const place = { ...(file !== undefined && { file }), line: 1, column: 1 };
  throw new PolicyError('too_large', 'the text is larger than 1 MiB: this cannot be a policy', place);
}

class TokenCheck {
  readonly #locate: (offset: number) => { line: number; column: number };
  readonly #comments: Comment[] = [];
  /** Columns where the open block collections began, ascending. */
  readonly #columns: number[] = [];
  #flowDepth = 0;
  #documents = 0;
  #content = false;
  #lineHasToken = false;

  constructor(locate: (offset: number) => { line: number; column: number }) {
    this.#locate = locate;
  }

  run(text: string): readonly Comment[] {
    let offset = 0;
    let count = 0;
    let atScalar = false;
    for (const lexeme of new Lexer().lex(text)) {
      // The lexer announces each plain scalar by a lexeme of its own, which stands for no text; so do the other two.
      const type: string | null = atScalar ? 'plain' : CST.tokenType(lexeme);
      atScalar = type === 'scalar';
      if (type === 'scalar' || type === 'doc-mode' || type === 'flow-error-end') continue;
      this.#token(type, lexeme, offset);
      count += 1;
      if (count > MAX_TOKENS) {
        fail('too_large', `the text has more than ${MAX_TOKENS} tokens: this cannot be a policy`, this.#locate, offset);
      }
      offset += lexeme.length;
    }
    return this.#comments;
  }

  #token(type: string | null, lexeme: string, offset: number): void {
    if (type === 'newline') this.#lineHasToken = false;
    if (type === 'newline' || type === 'space' || type === 'byte-order-mark') return;
    const refused = REFUSED[type ?? ''];
    if (refused) fail(refused[0], refused[1], this.#locate, offset);
    if (type === 'comment') {
      const { line } = this.#locate(offset);
      this.#comments.push({ text: lexeme.slice(1).trimEnd(), line, alone: !this.#lineHasToken });
      return;
    }
    if (type === 'doc-start') this.#document(offset);
    else this.#nesting(type, offset);
    if (type === 'plain') this.#plain(lexeme, offset);
    this.#lineHasToken = true;
  }

  #document(offset: number): void {
    this.#documents += 1;
    const second = this.#content || this.#documents > 1;
    if (second) fail('yaml_document', 'a second document begins here: a file holds one policy', this.#locate, offset);
  }

  #nesting(type: string | null, offset: number): void {
    this.#content = true;
    if (type === 'flow-map-start' || type === 'flow-seq-start') this.#flowDepth += 1;
    else if (type === 'flow-map-end' || type === 'flow-seq-end') this.#flowDepth = Math.max(0, this.#flowDepth - 1);
    else if (this.#flowDepth === 0 && (!this.#lineHasToken || type === 'seq-item-ind' || type === 'explicit-key-ind')) {
      this.#block(this.#locate(offset).column);
    }
    if (this.#columns.length + this.#flowDepth <= MAX_DEPTH) return;
    fail('too_deep', `the text is nested deeper than ${MAX_DEPTH} levels`, this.#locate, offset);
  }

  #block(column: number): void {
    const columns = this.#columns;
    while (columns.length > 0 && (columns.at(-1) as number) >= column) columns.pop();
    columns.push(column);
  }

  #plain(lexeme: string, offset: number): void {
    if (!lexeme.startsWith('@') && !lexeme.startsWith('`')) return;
    const word = /^[^\s:,]*/.exec(lexeme)?.[0] ?? '';
    fail('unquoted_set', `${word.slice(0, 60)} must stand in quotes: write ${quote(word)}`, this.#locate, offset);
  }
}
