import type { LooseReader } from './bytes.ts';
import { PT_LOAD } from './format.ts';
import type { ElfFile } from './read.ts';

/** Go's moduledata, which knows where the code starts. Source of the layout: runtime/symtab.go. */

/** Words of moduledata before `text`: pcHeader, six slices, findfunctab, minpc, maxpc. */
const MODULE_TEXT = 22;
const MODULE_FTAB_LENGTH = 17;
const RELA_SIZE = 24;
const R_X86_64_RELATIVE = 8;

/**
 * moduledata.text, by the only place that points to the table and has its number of functions: in the file, or in position-independent
 * programs among what ld.so or the start code relocates.
 */
export function textOf(elf: ElfFile, reader: LooseReader, address: number, functions: number): number | undefined {
  for (const { name, offset, size } of elf.sections) {
    if (!/^\.(go\.module|noptrdata|data|data\.rel\.ro)/.test(name)) continue;
    for (let at = offset; at + 8 * (MODULE_TEXT + 1) <= offset + size; at += 8) {
      if (reader.word(at) !== address || reader.word(at + 8 * MODULE_FTAB_LENGTH) !== functions + 1) continue;
      const text = reader.word(at + 8 * MODULE_TEXT);
      if (text) return text;
    }
  }
  return relocatedText(elf, reader, address, functions);
}

/** The same by .rela.dyn: Elf64_Rela is the place 8 | type 4 | symbol 4 | addend 8, and R_X86_64_RELATIVE puts the addend there (psABI, 4.4.1). */
function relocatedText(elf: ElfFile, reader: LooseReader, address: number, functions: number): number | undefined {
  const section = elf.sections.find(({ name }) => name === '.rela.dyn' || name === '.rela');
  if (!section) return undefined;
  const end = section.offset + section.size - RELA_SIZE;
  const addendAt = (place: number): number | undefined => {
    for (let at = section.offset; at <= end; at += RELA_SIZE)
      if (reader.u32(at) === place % 2 ** 32 && reader.word(at) === place && reader.u32(at + 8) === R_X86_64_RELATIVE)
        return reader.word(at + 16);
    return undefined;
  };
  for (let at = section.offset; at <= end; at += RELA_SIZE) {
    const module = reader.word(at + 16) === address ? reader.word(at) : undefined;
    const offset = module === undefined ? undefined : offsetOf(elf, module);
    if (module === undefined || offset === undefined || reader.u32(at + 8) !== R_X86_64_RELATIVE) continue;
    if (reader.word(offset + 8 * MODULE_FTAB_LENGTH) === functions + 1) return addendAt(module + 8 * MODULE_TEXT);
  }
  return undefined;
}

/** Where in the file an address is mapped from. */
function offsetOf(elf: ElfFile, address: number): number | undefined {
  const holds = elf.segments.find(
    ({ type, vaddr, filesz }) => type === PT_LOAD && address >= vaddr && address < vaddr + filesz,
  );
  return holds && address - holds.vaddr + holds.offset;
}
