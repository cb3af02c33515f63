/** Reads an ELF-64 file whole: every field that is used is bounds-checked, a contradiction is an ElfError. */
import { ElfError } from '../base/errors.ts';
import { ByteReader, damaged } from './bytes.ts';
import * as format from './format.ts';

/** A program header: what is mapped, or where something is found at run time. Sizes and places in bytes. */
export interface Segment {
  readonly index: number;
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly vaddr: number;
  readonly filesz: number;
  readonly memsz: number;
  readonly align: number;
}

/** A section header: what linkers and strip know about the file. */
export interface Section {
  readonly index: number;
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly addr: number;
  readonly offset: number;
  readonly size: number;
}

/** A file that was read; `bytes` is the file itself, not a copy. */
export interface ElfFile {
  readonly bytes: Uint8Array;
  readonly type: number;
  readonly machine: number;
  readonly entry: number;
  readonly phoff: number;
  readonly shoff: number;
  readonly shstrndx: number;
  readonly segments: readonly Segment[];
  /** Empty where the file has no section table. */
  readonly sections: readonly Section[];
}

/**
 * Reads the headers of a little-endian ELF-64 file of any machine.
 * @throws ElfError `elf_not_elf`, `elf_script`, `elf_class` (32-bit or big-endian), `elf_damaged`.
 */
export function readElf(bytes: Uint8Array): ElfFile {
  requireElf64(bytes);
  const reader = new ByteReader(bytes);
  reader.require(0, format.EHDR_SIZE, 'the file header');
  const { EHDR } = format;
  const phoff = reader.u64(EHDR.phoff, 'e_phoff');
  const shoff = reader.u64(EHDR.shoff, 'e_shoff');
  const shstrndx = reader.u16(EHDR.shstrndx, 'e_shstrndx');
  return {
    bytes,
    type: reader.u16(EHDR.type, 'e_type'),
    machine: reader.u16(EHDR.machine, 'e_machine'),
    entry: reader.u64(EHDR.entry, 'e_entry'),
    phoff,
    shoff,
    shstrndx,
    segments: readSegments(reader, phoff),
    sections: readSections(reader, shoff, shstrndx),
  };
}

/** The path that a program's PT_INTERP names, or undefined for a program that needs none. */
export function interpreterOf(elf: ElfFile): string | undefined {
  const segment = elf.segments.find((entry) => entry.type === format.PT_INTERP);
  if (segment === undefined) return undefined;
  const content = elf.bytes.subarray(segment.offset, segment.offset + segment.filesz);
  // The kernel wants this zero too: load_elf_binary() of fs/binfmt_elf.c.
  if (content.at(-1) !== 0) throw damaged('the interpreter of PT_INTERP does not end in a zero byte');
  return new ByteReader(content).string(0, 'the interpreter of PT_INTERP');
}

/** Tags and values of the dynamic section up to DT_NULL; empty for a program without one. */
export function dynamicEntries(elf: ElfFile): readonly { readonly tag: number; readonly value: bigint }[] {
  const segment = elf.segments.find((entry) => entry.type === format.PT_DYNAMIC);
  if (segment === undefined) return [];
  const view = new DataView(elf.bytes.buffer, elf.bytes.byteOffset + segment.offset, segment.filesz);
  const entries: { tag: number; value: bigint }[] = [];
  for (let offset = 0; offset + 16 <= segment.filesz; offset += 16) {
    const tag = Number(view.getBigUint64(offset, true));
    if (tag === format.DT_NULL) break;
    entries.push({ tag, value: view.getBigUint64(offset + 8, true) });
  }
  return entries;
}

/** True for bytes that begin as an ELF file of any class and machine. */
export function isElf(bytes: Uint8Array): boolean {
  return bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;
}

function requireElf64(bytes: Uint8Array): void {
  if (bytes[0] === 0x23 && bytes[1] === 0x21) {
    const line = new TextDecoder().decode(bytes.subarray(2, 256)).split('\n')[0] ?? '';
    const interpreter = line.trim().split(/\s+/)[0] ?? '';
    throw new ElfError(
      'elf_script',
      `Cannot read an ELF file: this is a script that ${JSON.stringify(interpreter)} runs; use \`selkie run\`, or the interpreter's own binary`,
    );
  }
  if (!isElf(bytes)) {
    const found = bytes.length === 0 ? 'the file is empty' : `the file begins with ${hex(bytes.subarray(0, 4))}`;
    throw new ElfError('elf_not_elf', `Cannot read an ELF file: ${found}, wanted 7f 45 4c 46`);
  }
  if (bytes.length < format.EHDR_SIZE) throw damaged(`it ends after ${bytes.length} bytes, inside its header of 64`);
  if (bytes[4] === 1) {
    const machine = format.machineName((bytes[18] ?? 0) | ((bytes[19] ?? 0) << 8));
    throw new ElfError('elf_class', `Cannot read the ELF file: it is a 32-bit file (${machine}), wanted 64-bit`);
  }
  if (bytes[4] !== 2) throw damaged(`EI_CLASS is ${bytes[4]}, wanted 2`);
  if (bytes[5] === 2)
    throw new ElfError('elf_class', 'Cannot read the ELF file: it is big-endian, wanted little-endian');
  if (bytes[5] !== 1 || bytes[6] !== 1) throw damaged(`EI_DATA, EI_VERSION are ${bytes[5]}, ${bytes[6]}, wanted 1, 1`);
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
}

function readSegments(reader: ByteReader, phoff: number): Segment[] {
  const count = reader.u16(format.EHDR.phnum, 'e_phnum');
  if (count === 0) return [];
  if (count === 0xffff) throw damaged('e_phnum is 65535 (PN_XNUM), wanted the number of program headers');
  const entrySize = reader.u16(format.EHDR.phentsize, 'e_phentsize');
  if (entrySize !== format.PHDR_SIZE) throw damaged(`e_phentsize is ${entrySize}, wanted 56`);
  if (phoff < format.EHDR_SIZE) throw damaged(`e_phoff is ${phoff}, inside the file header`);
  reader.require(phoff, count * format.PHDR_SIZE, 'the table of program headers');
  return Array.from({ length: count }, (_, index) => readSegment(reader, phoff + index * format.PHDR_SIZE, index));
}

function readSegment(reader: ByteReader, start: number, index: number): Segment {
  const { PHDR } = format;
  const what = `program header ${index}`;
  const segment: Segment = {
    index,
    type: reader.u32(start + PHDR.type, what),
    flags: reader.u32(start + PHDR.flags, what),
    offset: reader.u64(start + PHDR.offset, `p_offset of ${what}`),
    vaddr: reader.u64(start + PHDR.vaddr, `p_vaddr of ${what}`),
    filesz: reader.u64(start + PHDR.filesz, `p_filesz of ${what}`),
    memsz: reader.u64(start + PHDR.memsz, `p_memsz of ${what}`),
    align: reader.u64(start + PHDR.align, `p_align of ${what}`),
  };
  // PT_GNU_STACK and its like may have any offset: nothing is read from them.
  if (segment.filesz > 0) reader.require(segment.offset, segment.filesz, `the content of ${what}`);
  return segment;
}

function readSections(reader: ByteReader, shoff: number, shstrndx: number): Section[] {
  const count = reader.u16(format.EHDR.shnum, 'e_shnum');
  if (shoff === 0 && count === 0) return [];
  if (count === 0) throw damaged('e_shnum is 0 but e_shoff is not: extended numbering is not read');
  const entrySize = reader.u16(format.EHDR.shentsize, 'e_shentsize');
  if (entrySize !== format.SHDR_SIZE) throw damaged(`e_shentsize is ${entrySize}, wanted 64`);
  reader.require(shoff, count * format.SHDR_SIZE, 'the table of section headers');
  const names = readNameTable(reader, shoff, count, shstrndx);
  return Array.from({ length: count }, (_, index) => readSection(reader, shoff, index, names));
}

function readNameTable(reader: ByteReader, shoff: number, count: number, shstrndx: number): ByteReader | undefined {
  if (shstrndx === 0) return undefined;
  if (shstrndx >= count) throw damaged(`e_shstrndx is ${shstrndx}, but there are ${count} sections`);
  const start = shoff + shstrndx * format.SHDR_SIZE;
  const offset = reader.u64(start + format.SHDR.offset, 'sh_offset of the section names');
  const size = reader.u64(start + format.SHDR.size, 'sh_size of the section names');
  return new ByteReader(reader.slice(offset, size, 'the table of section names'));
}

function readSection(reader: ByteReader, shoff: number, index: number, names: ByteReader | undefined): Section {
  const { SHDR } = format;
  const start = shoff + index * format.SHDR_SIZE;
  const what = `section header ${index}`;
  const section: Section = {
    index,
    name: names?.string(reader.u32(start + SHDR.name, what), `the name of section ${index}`) ?? '',
    type: reader.u32(start + SHDR.type, what),
    flags: reader.u64(start + SHDR.flags, `sh_flags of ${what}`),
    addr: reader.u64(start + SHDR.addr, `sh_addr of ${what}`),
    offset: reader.u64(start + SHDR.offset, `sh_offset of ${what}`),
    size: reader.u64(start + SHDR.size, `sh_size of ${what}`),
  };
  if (section.type !== format.SHT_NOBITS && section.type !== format.SHT_NULL && section.size > 0) {
    reader.require(section.offset, section.size, `the content of section ${index}`);
  }
  return section;
}
