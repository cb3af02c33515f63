/**
 * Names of Rust's v0 symbols. Source: the rustc book, "v0 Symbol Format". Lifetimes that a binder names and structured constants are
 * not read: such a symbol stays as it is.
 */

const BASIC_TYPES: Readonly<Record<string, string>> = {
  a: 'i8',
  b: 'bool',
  c: 'char',
  d: 'f64',
  e: 'str',
  f: 'f32',
  h: 'u8',
  i: 'isize',
  j: 'usize',
  l: 'i32',
  m: 'u32',
  n: 'i128',
  o: 'u128',
  p: '_',
  s: 'i16',
  t: 'u16',
  u: '()',
  v: '...',
  x: 'i64',
  y: 'u64',
  z: '!',
};
const POINTERS: Readonly<Record<string, string>> = { R: '&', Q: '&mut ', P: '*const ', O: '*mut ' };
/** Back references may nest; no symbol of a compiler is deeper. */
const DEPTH = 200;

/** The path of a v0 symbol, such as `<std::fs::DirBuilder>::create`; undefined where it is none that is understood. */
export function rustName(symbol: string): string | undefined {
  if (!/^_R[A-Z][\w.$]*$/.test(symbol)) return undefined;
  try {
    return new V0Reader(symbol.slice(2)).path(true);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

class V0Reader {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** @param isValue - generic arguments of values stand behind `::` */
  path(isValue: boolean): string {
    this.#descend();
    const kind = this.#next();
    const text = this.#pathOf(kind, isValue);
    this.#depth -= 1;
    return text;
  }

  #pathOf(kind: string, isValue: boolean): string {
    if (kind === 'C') return this.#identifier().name;
    if (kind === 'N') return this.#nested(isValue);
    if (kind === 'M') {
      this.#implPath();
      return `<${this.#type()}>`;
    }
    if (kind === 'X') this.#implPath();
    if (kind === 'X' || kind === 'Y') return `<${this.#type()} as ${this.path(false)}>`;
    if (kind === 'I') {
      const path = this.path(isValue);
      return `${path}${isValue ? '::' : ''}<${this.#list(() => this.#genericArgument()).join(', ')}>`;
    }
    if (kind === 'B') return this.#back(() => this.path(isValue));
    return this.#fail();
  }

  #nested(isValue: boolean): string {
    const namespace = this.#next();
    const outer = this.path(isValue);
    const { name, index } = this.#identifier();
    if (/[a-z]/.test(namespace)) return name === '' ? outer : `${outer}::${name}`;
    const word = namespace === 'C' ? 'closure' : namespace === 'S' ? 'shim' : namespace;
    return `${outer}::{${word}${name === '' ? '' : `:${name}`}#${index}}`;
  }

  #implPath(): void {
    this.#disambiguator();
    this.path(false);
  }

  #type(): string {
    this.#descend();
    const text = this.#typeOf(this.#next());
    this.#depth -= 1;
    return text;
  }

  #typeOf(kind: string): string {
    const basic = BASIC_TYPES[kind];
    if (basic !== undefined) return basic;
    const pointer = POINTERS[kind];
    if (pointer !== undefined) {
      if ((kind === 'R' || kind === 'Q') && this.#takes('L')) this.#erasedLifetime();
      return `${pointer}${this.#type()}`;
    }
    if (kind === 'S') return `[${this.#type()}]`;
    if (kind === 'A') return `[${this.#type()}; ${this.#constant()}]`;
    if (kind === 'T') return this.#tuple();
    if (kind === 'F') return this.#functionType();
    if (kind === 'D') return this.#dynType();
    if (kind === 'B') return this.#back(() => this.#type());
    this.#at -= 1;
    return this.path(false);
  }

  #tuple(): string {
    const types = this.#list(() => this.#type());
    return types.length === 1 ? `(${types[0]},)` : `(${types.join(', ')})`;
  }

  #functionType(): string {
    if (this.#takes('G')) this.#fail();
    const unsafe = this.#takes('U') ? 'unsafe ' : '';
    const abi = this.#takes('K') ? `extern "${this.#takes('C') ? 'C' : this.#bareName().replaceAll('_', '-')}" ` : '';
    const parameters = this.#list(() => this.#type()).join(', ');
    const result = this.#type();
    return `${unsafe}${abi}fn(${parameters})${result === '()' ? '' : ` -> ${result}`}`;
  }

  #dynType(): string {
    if (this.#takes('G')) this.#fail();
    const traits = this.#list(() => this.#dynTrait());
    if (!this.#takes('L')) this.#fail();
    this.#erasedLifetime();
    return `dyn ${traits.join(' + ')}`;
  }

  #dynTrait(): string {
    const path = this.path(false);
    const bindings: string[] = [];
    while (this.#takes('p')) bindings.push(`${this.#bareName()} = ${this.#type()}`);
    if (bindings.length === 0) return path;
    return path.endsWith('>') ? `${path.slice(0, -1)}, ${bindings.join(', ')}>` : `${path}<${bindings.join(', ')}>`;
  }

  #genericArgument(): string {
    if (this.#takes('K')) return this.#constant();
    if (!this.#takes('L')) return this.#type();
    this.#erasedLifetime();
    return "'_";
  }

  #constant(): string {
    if (this.#takes('B')) return this.#back(() => this.#constant());
    if (this.#takes('p')) return '_';
    const kind = this.#next();
    const sign = this.#takes('n') ? '-' : '';
    const hex = this.#until('_');
    if (!/^[0-9a-f]*$/.test(hex)) this.#fail();
    const value = BigInt(`0x${hex || '0'}`);
    if (kind === 'b') return value === 0n ? 'false' : 'true';
    if (!/[ailmnohjstxy]/.test(kind)) this.#fail();
    return `${sign}${value}`;
  }

  #identifier(): { readonly name: string; readonly index: number } {
    const index = this.#disambiguator();
    return { name: this.#bareName(), index };
  }

  #bareName(): string {
    // Punycode: names beyond ASCII.
    if (this.#takes('u')) this.#fail();
    const digits = /^(?:0|[1-9]\d*)/.exec(this.#text.slice(this.#at, this.#at + 6))?.[0] ?? this.#fail();
    this.#at += digits.length;
    this.#takes('_');
    const end = this.#at + Number(digits);
    if (end > this.#text.length) this.#fail();
    const name = this.#text.slice(this.#at, end);
    this.#at = end;
    return name;
  }

  /** The number of a name among its equals, from 0. */
  #disambiguator(): number {
    return this.#takes('s') ? this.#base62() + 1 : 0;
  }

  /** `_` is 0, `0_` is 1. */
  #base62(): number {
    const digits = this.#until('_');
    if (!/^[0-9a-zA-Z]*$/.test(digits)) this.#fail();
    const alphabet = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';
    const value = [...digits].reduce((sum, digit) => sum * 62 + alphabet.indexOf(digit), 0);
    return digits === '' ? 0 : value + 1;
  }

  #erasedLifetime(): void {
    if (this.#base62() !== 0) this.#fail();
  }

  #back(read: () => string): string {
    const target = this.#base62();
    const here = this.#at;
    if (target >= here) this.#fail();
    this.#at = target;
    const text = read();
    this.#at = here;
    return text;
  }

  #list(read: () => string): readonly string[] {
    const items: string[] = [];
    while (!this.#takes('E')) items.push(read());
    return items;
  }

  #until(end: string): string {
    const stop = this.#text.indexOf(end, this.#at);
    if (stop < 0) this.#fail();
    const text = this.#text.slice(this.#at, stop);
    this.#at = stop + 1;
    return text;
  }

  #next(): string {
    const letter = this.#text[this.#at] ?? this.#fail();
    this.#at += 1;
    return letter;
  }

  #takes(letter: string): boolean {
    const found = this.#text[this.#at] === letter;
    if (found) this.#at += 1;
    return found;
  }

  #descend(): void {
    this.#depth += 1;
    if (this.#depth > DEPTH) this.#fail();
  }

  #fail(): never {
    throw new RangeError(`no v0 symbol that is understood, at ${this.#at}`);
  }
}
