import { fail, type Locate, quote } from './source.ts';

/** A token of a condition. `match` is the index of the closing parenthesis, for an opening one. */
export interface Token {
  readonly kind: 'name' | 'number' | 'symbol' | 'end';
  readonly text: string;
  /** UTF-16 units from the start of the condition. */
  readonly offset: number;
  match?: number;
}

/** Parentheses deeper than this are refused: no person reads them, and the parser recurses. */
const MAX_DEPTH = 32;

const TOKEN = /\s*(?:([A-Za-z_][A-Za-z0-9_]*)|([0-9][A-Za-z0-9_.]*)|(==|!=|<=|>=|&&|\|\||[<>&|()[\],~-]))/y;

/** Signs of other languages, and what is written here instead. */
const HINTS: readonly (readonly [RegExp, string])[] = [
  [/^!/, 'write "not" instead of "!"'],
  [/^=/, 'write "==" to compare'],
  [/^["'@]/, 'names and numbers stand without quotes'],
  [/^[+*/%^]/, 'there is no arithmetic: combine bits with "|", mask with "&"'],
];

/**
 * Splits a condition into tokens; the last one is of kind `end`.
 *
 * @throws {PolicyError} `bad_condition` for a character that no condition has, or parentheses that do not match
 */
export function tokenize(text: string, locate: Locate): readonly Token[] {
  const tokens: Token[] = [];
  const end = text.trimEnd().length;
  TOKEN.lastIndex = 0;
  for (let at = 0; at < end; at = TOKEN.lastIndex) {
    const match = TOKEN.exec(text);
    if (!match) refuse(text, at, locate);
    const [whole, name, number, symbol] = match;
    const found = name ?? number ?? symbol ?? '';
    const kind = name !== undefined ? 'name' : number !== undefined ? 'number' : 'symbol';
    tokens.push({ kind, text: found, offset: at + whole.length - found.length });
  }
  tokens.push({ kind: 'end', text: '', offset: end });
  matchParentheses(tokens, locate);
  return tokens;
}

function refuse(text: string, from: number, locate: Locate): never {
  const rest = text.slice(from).trimStart();
  const offset = text.length - rest.length;
  const hint = HINTS.find(([pattern]) => pattern.test(rest))?.[1];
  const problem = `${quote(rest[0] ?? '')} does not belong into a condition`;
  fail('bad_condition', hint ? `${problem}: ${hint}` : problem, locate, offset);
}

function matchParentheses(tokens: readonly Token[], locate: Locate): void {
  const open: Token[] = [];
  tokens.forEach((token, index) => {
    if (token.kind !== 'symbol') return;
    if (token.text === '(') {
      open.push(token);
      if (open.length > MAX_DEPTH) {
        fail('too_deep', `parentheses are nested deeper than ${MAX_DEPTH}`, locate, token.offset);
      }
    } else if (token.text === ')') {
      const start = open.pop();
      if (!start) fail('bad_condition', '")" closes nothing', locate, token.offset);
      start.match = index;
    }
  });
  const left = open.pop();
  if (left) fail('bad_condition', '"(" is never closed', locate, left.offset);
}
