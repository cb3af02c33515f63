import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ElfFile, readElf, type Segment } from '../../src/elf/read.ts';
import { temporaryFolder } from './folders.ts';

/** Programs that the kernel runs though linkers seldom write them so. Linked on demand, by gcc. */

const sources = fileURLToPath(new URL('../../../test/programs/', import.meta.url));
export const folder: string = temporaryFolder();

export const PT = {
  NULL: 0,
  LOAD: 1,
  INTERP: 3,
  NOTE: 4,
  SHLIB: 5,
  PHDR: 6,
  STACK: 0x6474e551,
  PROPERTY: 0x6474e553,
} as const;

const built = new Map<string, Buffer>();

/** test/programs/bare.c, which needs nothing, linked with these flags. */
export function bare(...flags: readonly string[]): Buffer {
  return link('bare.c', '-nostdlib', '-static', '-fno-stack-protector', ...flags);
}

/** test/programs/uname.c with the C library. */
export function full(...flags: readonly string[]): Buffer {
  return link('uname.c', ...flags);
}

export function link(source: string, ...flags: readonly string[]): Buffer {
  const key = [source, ...flags].join(' ');
  const path = join(folder, `program-${built.size}`);
  const known = built.get(key);
  if (known) return Buffer.from(known);
  const ballast = flags.some((flag) => flag.startsWith('-DBALLAST')) ? [] : ['-DBALLAST=64'];
  execFileSync('gcc', ['-O1', ...ballast, '-o', path, join(sources, source), ...flags], { stdio: 'pipe' });
  built.set(key, readFileSync(path));
  return readFileSync(path);
}

/** bare.c linked by a script of its own. */
export function scripted(name: string, script: string, ...flags: readonly string[]): Buffer {
  const path = join(folder, `${name}.ld`);
  writeFileSync(path, script);
  return bare('-Wl,--build-id=none', '-fcf-protection=none', `-Wl,-T,${path}`, ...flags);
}

/** Changes bytes in place, or returns others. */
export type Edit = (bytes: Buffer, elf: ElfFile) => Buffer | undefined;

export function edited(bytes: Buffer, edit: Edit): Buffer {
  return edit(bytes, readElf(bytes)) ?? bytes;
}

/** Offset of a program header. */
export const place = (elf: ElfFile, segment: Segment): number => elf.phoff + 56 * segment.index;
/** The program headers of a type. */
export const ofType = (elf: ElfFile, type: number): readonly Segment[] =>
  elf.segments.filter((entry) => entry.type === type);

/** Gives every program header of one type another type. */
export function retyped(from: number, to: number): Edit {
  return (bytes, elf) => {
    for (const segment of ofType(elf, from)) bytes.writeUInt32LE(to, place(elf, segment));
    return undefined;
  };
}

/** Writes a field of every program header of one type. */
export function field(type: number, offset: number, value: number): Edit {
  return (bytes, elf) => {
    for (const segment of ofType(elf, type)) bytes.writeBigUInt64LE(BigInt(value), place(elf, segment) + offset);
    return undefined;
  };
}

const withFlags =
  (flags: number): Edit =>
  (bytes, elf) => {
    for (const segment of ofType(elf, PT.LOAD)) bytes.writeUInt32LE(flags, place(elf, segment) + 4);
    return undefined;
  };

/** As sstrip leaves a file. */
export const withoutSections: Edit = (bytes) => {
  bytes.fill(0, 40, 48);
  bytes.fill(0, 60, 64);
  return undefined;
};

/** The file up to the last byte that is loaded, without its section table. */
const cutBehindLoads: Edit = (bytes, elf) => {
  withoutSections(bytes, elf);
  const ends = elf.segments.map((segment) => segment.offset + segment.filesz);
  return bytes.subarray(0, Math.max(...ends, elf.phoff + 56 * elf.segments.length));
};

/** The executable segment's content stands behind everything else, so that file and addresses disagree in order. */
const codeAtEnd: Edit = (bytes, elf) => {
  const code = ofType(elf, PT.LOAD).find((segment) => (segment.flags & 1) !== 0) as Segment;
  const start = Math.ceil(bytes.length / 4096) * 4096 + (code.offset % 4096);
  const longer = Buffer.alloc(start + code.filesz);
  bytes.copy(longer);
  bytes.copy(longer, start, code.offset, code.offset + code.filesz);
  longer.writeBigUInt64LE(BigInt(start), place(elf, code) + 8);
  withoutSections(longer, elf);
  return longer;
};

/** The table of program headers stands at the end of the file, where nothing is loaded. */
const tableAtEnd: Edit = (bytes, elf) => {
  const start = Math.ceil(bytes.length / 8) * 8;
  const longer = Buffer.alloc(start + 56 * elf.segments.length);
  bytes.copy(longer);
  bytes.copy(longer, start, elf.phoff, elf.phoff + 56 * elf.segments.length);
  longer.writeBigUInt64LE(BigInt(start), 32);
  return longer;
};

/** Writes a byte of the file header. */
export const headerByte =
  (offset: number, value: number): Edit =>
  (bytes) =>
    void bytes.writeUInt8(value, offset);

const noNote = ['-Wl,--build-id=none', '-fcf-protection=none', '-Wl,-z,nognustack'] as const;
const ONE_LOAD = `PHDRS { all PT_LOAD FILEHDR PHDRS FLAGS(7); }
SECTIONS { . = 0x10000 + SIZEOF_HEADERS; .text : { *(.text*) *(.rodata*) *(.data*) *(.bss*) *(COMMON) } :all /DISCARD/ : { *(*) } }`;
const UNMAPPED_HEADERS = `PHDRS { code PT_LOAD FLAGS(5); data PT_LOAD FLAGS(6); }
SECTIONS { . = 0x400000; .text : { *(.text*) *(.rodata*) } :code . = 0x500000; .data : { *(.data*) *(.bss*) *(COMMON) } :data /DISCARD/ : { *(*) } }`;
const BSS_FIRST = `PHDRS { zero PT_LOAD FLAGS(6); code PT_LOAD FLAGS(5); }
SECTIONS { . = 0x400000; .bss (NOLOAD) : { *(.bss*) *(COMMON) } :zero . = 0x500000; .text : { *(.text*) *(.rodata*) } :code /DISCARD/ : { *(*) } }`;
const MANY = `PHDRS { ${Array.from({ length: 60 }, (_, index) => `n${index} PT_NULL;`).join(' ')} code PT_LOAD FILEHDR PHDRS FLAGS(7); }
SECTIONS { . = 0x400000 + SIZEOF_HEADERS; .text : { *(.text*) *(.rodata*) *(.data*) *(.bss*) *(COMMON) } :code /DISCARD/ : { *(*) } }`;

/** What is odd, the file, and the code of the ElfError where it is refused. They exit with 7, and with 8 where uname(2) is refused. */
export type Odd = readonly [string, () => Buffer, string?];

export const ODD: readonly Odd[] = [
  ['headers and code in one segment (-z noseparate-code)', () => full('-no-pie', '-Wl,-z,noseparate-code')],
  ['static PIE, headers and code in one segment', () => full('-static-pie', '-Wl,-z,noseparate-code')],
  ['code far from the headers (-Ttext)', () => full('-no-pie', '-Wl,-Ttext=0x8000000')],
  ['code below the other segments (-Tdata)', () => bare('-Wl,-Ttext=0x10000000')],
  ['the lowest address (-Ttext-segment)', () => bare('-Wl,-Ttext-segment=0x10000')],
  ['a high address', () => bare('-Wl,-Ttext-segment=0x555500000000', '-mcmodel=large')],
  ['pages of 2 MiB', () => full('-fPIE', '-pie', '-Wl,-z,max-page-size=0x200000')],
  ['static PIE with pages of 2 MiB', () => full('-static-pie', '-Wl,-z,max-page-size=0x200000')],
  ['a static program with pages of 2 MiB', () => bare('-Wl,-z,max-page-size=0x200000,-z,common-page-size=0x200000')],
  ['an executable stack', () => full('-fPIE', '-pie', '-Wl,-z,execstack')],
  ['IBT and SHSTK properties', () => full('-fcf-protection=full', '-Wl,-z,ibt,-z,shstk')],
  ['no properties', () => full('-fcf-protection=none')],
  ['two PT_NOTE', () => edited(full('-static'), retyped(PT.PROPERTY, PT.NOTE))],
  ['text that is writable (-N)', () => bare('-Wl,-N')],
  ['segments without alignment (-n)', () => bare('-Wl,-n')],
  ['the linker gold', () => full('-fuse-ld=gold', '-fPIE', '-pie')],
  ['gold, static', () => bare('-fuse-ld=gold')],
  ['1 GiB of .bss', () => bare(`-DBALLAST=${2 ** 30}ul`, '-mcmodel=large')],
  ['3 GiB of .bss', () => bare(`-DBALLAST=${3 * 2 ** 30}ul`, '-mcmodel=large'), 'elf_no_room'],
  ['no relro, lazy binding', () => full('-fPIE', '-pie', '-Wl,-z,norelro,-z,lazy')],
  ['packed relocations', () => full('-fPIE', '-pie', '-Wl,-z,pack-relative-relocs')],
  ['relocations kept (-q)', () => full('-fPIE', '-pie', '-Wl,-q')],
  ['compressed debug information', () => full('-g', '-gz', '-fPIE', '-pie')],
  ['a relative interpreter', () => full('-no-pie', '-Wl,--dynamic-linker=./loader')],
  [
    'an interpreter by another absolute path',
    () => full('-Wl,--dynamic-linker=/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2'),
  ],
  ['a library that is a program as well', () => readFileSync('/lib/x86_64-linux-gnu/libc.so.6')],
  ['the loader itself', () => readFileSync('/lib64/ld-linux-x86-64.so.2'), 'elf_type'],
  ['no PT_PHDR', () => edited(full('-no-pie'), retyped(PT.PHDR, PT.NULL))],
  ['no PT_GNU_STACK', () => edited(full('-static'), retyped(PT.STACK, PT.NULL))],
  ['no section table', () => edited(full('-static'), withoutSections)],
  ['no section table, dynamic', () => edited(full('-fPIE', '-pie'), withoutSections)],
  ['nothing behind the last segment', () => edited(full('-fPIE', '-pie'), cutBehindLoads)],
  ['nothing behind the last segment, no notes', () => edited(bare(...noNote), cutBehindLoads)],
  ['sections without names', () => edited(bare(), (bytes) => void bytes.writeUInt16LE(0, 62))],
  ['a header type of the system', () => edited(full('-static'), retyped(PT.STACK, 0x60000001))],
  ['the reserved header type PT_SHLIB', () => edited(bare(), retyped(PT.STACK, PT.SHLIB))],
  ['notes of no bytes', () => edited(bare(), field(PT.NOTE, 32, 0))],
  ['notes that are no notes', () => edited(bare(), field(PT.NOTE, 8, 0))],
  ['p_align 0', () => edited(bare(), field(PT.LOAD, 48, 0))],
  ['p_align 3', () => edited(bare(), field(PT.LOAD, 48, 3))],
  ['p_paddr without meaning', () => edited(bare(), field(PT.LOAD, 24, 0xdead000))],
  ['segments that are RWX', () => edited(full('-static'), withFlags(7))],
  ['segments that are W and X but not R', () => edited(bare(), withFlags(3))],
  ['a segment of no bytes', () => edited(full('-static'), retyped(PT.STACK, PT.LOAD)), 'elf_damaged'],
  ['code behind everything in the file', () => edited(bare(), codeAtEnd)],
  ['program headers at the end of the file', () => edited(bare(), tableAtEnd)],
  ['program headers at the end, no notes', () => edited(bare(...noNote), tableAtEnd)],
  ['one segment for all, no notes, as packers write it', () => edited(scripted('one', ONE_LOAD), cutBehindLoads)],
  ['headers that are not loaded', () => scripted('unmapped', UNMAPPED_HEADERS)],
  ['.bss alone in the first segment', () => scripted('bss-first', BSS_FIRST)],
  ['60 empty program headers', () => scripted('many', MANY)],
  ['data behind the end', () => Buffer.concat([full('-static'), Buffer.from('PK-like archive')])],
  ['another OS ABI', () => edited(full('-static'), headerByte(7, 9))],
  ['an ABI version and padding', () => edited(full('-static'), headerByte(12, 77))],
  ['e_version 0', () => edited(bare(), headerByte(20, 0))],
  ['e_flags', () => edited(bare(), headerByte(48, 5))],
  ['e_ehsize 0', () => edited(bare(), headerByte(52, 0))],
];
