import type { Place } from '../base/errors.ts';
import { type Token, tokenize } from './condition-lexer.ts';
import type { CompareOperator, Condition, Constant, ConstantTerm, Field, Test } from './model.ts';
import { parseNumber } from './number.ts';
import { fail, type Locate, nowhere, quote } from './source.ts';

/**
 * The grammar of conditions (docs/policy.md):
 *
 *     cond  = and {"||" and}     and = not {"&&" not}     not = ["not"] (test | "(" cond ")")
 *     test  = field ("==" | "!=" | "<" | "<=" | ">" | ">=") const | field ("in" | "within") "[" const {"," const} "]"
 *     field = arg | arg "&" const | "(" arg "&" const ")"   arg = name | "arg0".."arg5" | "ip" | ("u32" | "u64" | "raw") "(" arg ")"
 *     const = term {"|" term}    term = ["-" | "~"] (NAME | number | "(" const ")")
 */

const COMPARISONS: readonly string[] = ['==', '!=', '<', '<=', '>', '>='];
const WIDTHS = new Map<string, 32 | 64 | 'raw'>([
  ['u32', 32],
  ['u64', 64],
  ['raw', 'raw'],
]);
const RESERVED: readonly string[] = ['not', 'in', 'within', 'and', 'or', ...WIDTHS.keys()];

/**
 * Reads a condition such as `domain == AF_UNIX && (type & 0xf) in [SOCK_STREAM, SOCK_DGRAM]`; names stay unresolved.
 *
 * @param locate - place of an offset in `text`, for messages and for the model's places
 * @throws {PolicyError} `bad_condition`, `too_deep` and those of numbers
 */
export function parseCondition(text: string, locate: Locate = nowhere): Condition {
  return new ConditionParser(tokenize(text, locate), locate).parse();
}

/** Recursive descent, one method per line of the grammar. */
class ConditionParser {
  readonly #tokens: readonly Token[];
  readonly #locate: Locate;
  #next = 0;

  constructor(tokens: readonly Token[], locate: Locate) {
    this.#tokens = tokens;
    this.#locate = locate;
  }

  parse(): Condition {
    const first = this.#peek();
    if (first.kind === 'end')
      this.#refuse('a condition is empty: leave it out, with its ":", for a rule that always holds');
    const condition = this.#or();
    if (this.#peek().kind !== 'end') this.#refuse(this.#strayHint());
    return condition;
  }

  #or(): Condition {
    const operands = [this.#and()];
    while (this.#accept('||')) operands.push(this.#and());
    return join('or', operands);
  }

  #and(): Condition {
    const operands = [this.#not()];
    while (this.#accept('&&')) operands.push(this.#not());
    return join('and', operands);
  }

  #not(): Condition {
    if (!this.#accept('not')) return this.#primary();
    if (this.#peek().text === 'not') this.#refuse('"not not" says nothing: leave both out');
    return { kind: 'not', operand: this.#primary() };
  }

  #primary(): Condition {
    const token = this.#peek();
    // A parenthesis before a comparison belongs to a field, any other one to a condition.
    if (token.text !== '(' || this.#isComparison(this.#tokens[(token.match as number) + 1])) return this.#test();
    this.#next += 1;
    const condition = this.#or();
    this.#expect(')', 'wanted "&&", "||" or ")"');
    return condition;
  }

  #isComparison(token: Token | undefined): boolean {
    if (token === undefined || token.kind === 'end') return false;
    return COMPARISONS.includes(token.text) || token.text === 'in' || token.text === 'within';
  }

  #test(): Test {
    const field = this.#field();
    const operator = this.#peek();
    if (!this.#isComparison(operator)) {
      this.#refuse('wanted ==, !=, <, <=, >, >=, in [...] or within [...] after an argument');
    }
    this.#next += 1;
    if (operator.text !== 'in' && operator.text !== 'within') {
      return { kind: 'compare', field, operator: operator.text as CompareOperator, constant: this.#constant() };
    }
    this.#expect('[', `wanted "[" after "${operator.text}"`);
    const constants = [this.#constant()];
    while (this.#accept(',')) constants.push(this.#constant());
    this.#expect(']', 'wanted "," or "]" in a list');
    return { kind: operator.text, field, constants };
  }

  #field(): Field {
    if (!this.#accept('(')) return this.#masked(false);
    const field = this.#masked(true);
    this.#expect(')', 'wanted ")" behind the mask');
    return field;
  }

  #masked(maskNeeded: boolean): Field {
    const argument = this.#argument();
    if (!maskNeeded && this.#peek().text !== '&') return argument;
    this.#expect('&', 'wanted "&" and a mask: without one, leave the parentheses out');
    return { ...argument, mask: this.#constant() };
  }

  #argument(): Field {
    const token = this.#peek();
    const place = this.#placeOf(token);
    const width = WIDTHS.get(token.text);
    if (width === undefined) return { argument: this.#argumentName(), ...place };
    this.#next += 1;
    this.#expect('(', `wanted "(" after "${token.text}"`);
    const argument = this.#argumentName();
    this.#expect(')', `wanted ")" after ${quote(`${token.text}(${argument}`)}`);
    return { argument, width, ...place };
  }

  #argumentName(): string {
    const token = this.#peek();
    if (token.kind !== 'name') this.#refuse('wanted an argument (a name of the man page, arg0 to arg5, or ip)');
    if (RESERVED.includes(token.text)) this.#refuse('wanted an argument here, not this word');
    this.#next += 1;
    return token.text;
  }

  #constant(): Constant {
    const terms = [this.#term()];
    while (this.#accept('|')) terms.push(this.#term());
    return terms;
  }

  #term(): ConstantTerm {
    const token = this.#peek();
    const sign: '-' | '~' | undefined = this.#accept('-') ? '-' : this.#accept('~') ? '~' : undefined;
    const head: Omit<ConstantTerm, 'value'> = { ...(sign && { sign }), ...this.#placeOf(token) };
    if (this.#accept('(')) {
      const value = this.#constant();
      this.#expect(')', 'wanted "|" or ")" in a constant');
      return { value, ...head };
    }
    const value = this.#peek();
    if (value.kind === 'number') {
      this.#next += 1;
      return { ...parseNumber(value.text, this.#locate, value.offset), ...head };
    }
    if (value.kind !== 'name' || RESERVED.includes(value.text)) this.#refuse('wanted a constant (a NAME or a number)');
    this.#next += 1;
    return { value: value.text, ...head };
  }

  #peek(): Token {
    return this.#tokens[this.#next] as Token;
  }

  #placeOf(token: Token): { place?: Place } {
    const place = this.#locate(token.offset);
    return place ? { place } : {};
  }

  #accept(text: string): boolean {
    const found = this.#peek().kind !== 'end' && this.#peek().text === text;
    if (found) this.#next += 1;
    return found;
  }

  #expect(text: string, wanted: string): void {
    if (!this.#accept(text)) this.#refuse(wanted);
  }

  #strayHint(): string {
    const { text } = this.#peek();
    if (text === 'and') return 'write "&&" instead of "and"';
    if (text === 'or') return 'write "||" instead of "or"';
    return 'wanted "&&", "||" or the end of the condition';
  }

  #refuse(wanted: string): never {
    const token = this.#peek();
    const found = token.kind === 'end' ? 'the condition ends too early' : `${quote(token.text)} is not expected here`;
    fail('bad_condition', `${found}: ${wanted}`, this.#locate, token.offset);
  }
}

/** One operand stands for itself; operands of the same kind are taken in, so that each meaning has one form. */
function join(kind: 'and' | 'or', operands: readonly Condition[]): Condition {
  const [only] = operands;
  if (operands.length === 1 && only) return only;
  return { kind, operands: operands.flatMap((each) => (each.kind === kind ? each.operands : [each])) };
}
