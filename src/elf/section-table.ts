/** The section table of a sealed file: the old one, with a section around the added segment so that strip and objcopy keep it. */
import { alignUp, ByteWriter } from './bytes.ts';
import * as format from './format.ts';
import type { NewSegment } from './layout.ts';
import type { ElfFile } from './read.ts';

export const SECTION_NAME = '.selkie';

/** Bytes to append to a file, and where the table is in them. */
export interface SectionTable {
  readonly bytes: Uint8Array;
  /** Offset of the table in the file. */
  readonly offset: number;
}

/**
 * The section names and headers that go to the end of the file at `end`. The new section is the last one, so that no
 * index changes. Undefined for a file without section headers or names.
 */
export function newSectionTable(elf: ElfFile, added: Omit<NewSegment, 'page'>, end: number): SectionTable | undefined {
  const names = elf.sections[elf.shstrndx];
  if (elf.shstrndx === 0 || names === undefined) return undefined;
  const oldNames = elf.bytes.subarray(names.offset, names.offset + names.size);
  const nameBytes = new TextEncoder().encode(`${SECTION_NAME}\0`);
  const nameTableSize = oldNames.length + nameBytes.length;
  const offset = alignUp(end + nameTableSize, 8);
  const count = elf.sections.length + 1;
  const bytes = new Uint8Array(offset - end + count * format.SHDR_SIZE);
  bytes.set(oldNames);
  bytes.set(nameBytes, oldNames.length);
  bytes.set(elf.bytes.subarray(elf.shoff, elf.shoff + elf.sections.length * format.SHDR_SIZE), offset - end);
  const table = new ByteWriter(bytes.subarray(offset - end));
  const { SHDR } = format;
  table.u64(elf.shstrndx * format.SHDR_SIZE + SHDR.offset, end);
  table.u64(elf.shstrndx * format.SHDR_SIZE + SHDR.size, nameTableSize);
  const start = elf.sections.length * format.SHDR_SIZE;
  table.u32(start + SHDR.name, oldNames.length);
  table.u32(start + SHDR.type, format.SHT_PROGBITS);
  table.u64(start + SHDR.flags, format.SHF_ALLOC | format.SHF_EXECINSTR);
  table.u64(start + SHDR.addr, added.vaddr);
  table.u64(start + SHDR.offset, added.offset);
  table.u64(start + SHDR.size, added.size);
  table.u64(start + SHDR.addralign, 4096);
  return { bytes, offset };
}
