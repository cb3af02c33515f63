import type { ElfFile, Section } from './read.ts';

/** Function symbols: .symtab and .dynsym. Elf64_Sym: name 4 | info 1 | other 1 | shndx 2 | value 8 | size 8 (elf(5)). */

const SYMBOL_SIZE = 24;
const STT_FUNC = 2;
const STT_GNU_IFUNC = 10;
const TABLES = [
  ['.symtab', '.strtab'],
  ['.dynsym', '.dynstr'],
] as const;

/**
 * The function that holds an address, by symbols that state their size: nothing is guessed from a nearest symbol.
 *
 * @param address - as linked, without the load bias
 * @returns undefined where no symbol covers it
 */
export function functionAt(elf: ElfFile, address: number): string | undefined {
  for (const [table, strings] of TABLES) {
    const symbols = elf.sections.find(({ name }) => name === table);
    const names = elf.sections.find(({ name }) => name === strings);
    const found = symbols && names ? search(elf, symbols, names, address) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

function search(elf: ElfFile, symbols: Section, names: Section, address: number): string | undefined {
  const { bytes } = elf;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = Math.min(symbols.offset + symbols.size, bytes.length) - SYMBOL_SIZE;
  let best: string | undefined;
  for (let at = symbols.offset; at <= end; at += SYMBOL_SIZE) {
    const type = view.getUint8(at + 4) & 15;
    if ((type !== STT_FUNC && type !== STT_GNU_IFUNC) || view.getUint16(at + 6, true) === 0) continue;
    const from = view.getUint32(at + 8, true) + view.getUint32(at + 12, true) * 2 ** 32;
    if (address < from || address >= from + view.getUint32(at + 16, true)) continue;
    const name = text(bytes, names.offset + view.getUint32(at, true));
    if (best === undefined || plainness(name) < plainness(best)) best = name;
  }
  // gcc's clones of a function: its name is before the dot.
  return best?.replace(/\.(?:part|constprop|isra|cold)\b.*$/, '');
}

/** Of several names of one function, the one with the fewest leading underscores, then the shortest. */
function plainness(name: string): number {
  return (/^_*/.exec(name)?.[0].length ?? 0) * 1000 + name.length;
}

function text(bytes: Uint8Array, start: number): string {
  const end = bytes.indexOf(0, start);
  return new TextDecoder().decode(bytes.subarray(start, end < 0 ? start : end));
}
