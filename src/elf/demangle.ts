import { rustName } from './rust-symbol.ts';

/**
 * Names as programmers wrote them, of the symbols that Rust and C++ compilers make; what is not understood stays as it is. Sources:
 * rustc's symbol_mangling/legacy.rs (_ZN...17h<hash>E) and the Rust reference's v0 grammar; the Itanium C++ ABI, 5.1.
 */

/** What a symbol is called: `std::fs::create_dir`, `node::fs::MKDirp`, else the symbol. */
export function demangle(symbol: string): string {
  return (symbol.startsWith('_Z') ? cxxName(symbol) : rustName(symbol)) ?? symbol;
}

/** Names made of identifiers alone: no templates, operators and substitutions, which want a demangler of their own. */
function cxxName(symbol: string): string | undefined {
  const prefix = /^_Z(?:N[rVK]*[RO]?)?(?:St)?/.exec(symbol)?.[0] ?? '';
  const isNested = symbol[2] === 'N';
  const parts: string[] = prefix.endsWith('St') ? ['std'] : [];
  let at = prefix.length;
  while (symbol[at] !== 'E' || !isNested) {
    const part = partAt(symbol, at, parts.at(-1), isNested);
    if (part === undefined) return undefined;
    parts.push(part.name);
    at = part.end;
    if (!isNested) break;
  }
  // An ABI tag or template arguments follow: the name is not all.
  if (/^[BI]/.test(symbol.slice(isNested ? at + 1 : at))) return undefined;
  return rustPath(parts) ?? parts.join('::');
}

interface Part {
  readonly name: string;
  readonly end: number;
}

function partAt(symbol: string, at: number, before: string | undefined, isNested: boolean): Part | undefined {
  // Constructors and destructors are called as their class.
  if (isNested && before !== undefined && /^[CD][0-5]/.test(symbol.slice(at)))
    return { name: symbol[at] === 'C' ? before : `~${before}`, end: at + 2 };
  const from = symbol[at] === 'L' ? at + 1 : at;
  const length = /^[1-9]\d*/.exec(symbol.slice(from, from + 6))?.[0];
  if (length === undefined) return undefined;
  const end = from + length.length + Number(length);
  const name = symbol.slice(from + length.length, end);
  if (name.length !== Number(length)) return undefined;
  return { name: name.startsWith('_GLOBAL__N_') ? '(anonymous namespace)' : name, end };
}

/** Characters that Rust's legacy mangling writes between dollars. */
const RUST_ESCAPES: Readonly<Record<string, string>> = {
  SP: '@',
  BP: '*',
  RF: '&',
  LT: '<',
  GT: '>',
  LP: '(',
  RP: ')',
  C: ',',
};

/** A path of Rust, which ends in a hash; undefined for C++. */
function rustPath(parts: readonly string[]): string | undefined {
  if (!/^h[0-9a-f]{16}$/.test(parts.at(-1) ?? '')) return undefined;
  return parts.slice(0, -1).map(rustPart).join('::');
}

function rustPart(part: string): string {
  return part
    .replace(/^_(?=\$)/, '')
    .replace(/\$(?:u([0-9a-f]{1,6})|([A-Z]{1,2}))\$/g, (whole, code?: string, word?: string) =>
      code === undefined ? (RUST_ESCAPES[word ?? ''] ?? whole) : String.fromCodePoint(Number.parseInt(code, 16)),
    )
    .replaceAll('..', '::');
}
