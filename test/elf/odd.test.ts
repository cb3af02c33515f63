import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ElfError } from '../../src/base/errors.ts';
import { unsealElf } from '../../src/elf/inspect.ts';
import { type ElfFile, readElf, type Segment } from '../../src/elf/read.ts';
import { sealElf } from '../../src/elf/seal.ts';
import { denying, NR } from '../support/filters.ts';
import { temporaryFolder } from '../support/folders.ts';
import { missingTools } from '../support/tools.ts';

/**
 * Programs that the kernel runs though linkers seldom write them so. Each is sealed and then behaves as before, confined, or it is refused
 * by name; no tool that rewrites the sealed file makes it run unconfined.
 */

const sources = fileURLToPath(new URL('../../../test/programs/', import.meta.url));
const folder = temporaryFolder();
const skip = missingTools('gcc', 'readelf');
const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();
const PT = {
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
function bare(...flags: readonly string[]): Buffer {
  return link('bare.c', '-nostdlib', '-static', '-fno-stack-protector', ...flags);
}

/** test/programs/uname.c with the C library. */
function full(...flags: readonly string[]): Buffer {
  return link('uname.c', ...flags);
}

function link(source: string, ...flags: readonly string[]): Buffer {
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
function scripted(name: string, script: string, ...flags: readonly string[]): Buffer {
  const path = join(folder, `${name}.ld`);
  writeFileSync(path, script);
  return bare('-Wl,--build-id=none', '-fcf-protection=none', `-Wl,-T,${path}`, ...flags);
}

type Edit = (bytes: Buffer, elf: ElfFile) => Buffer | undefined;

function edited(bytes: Buffer, edit: Edit): Buffer {
  return edit(bytes, readElf(bytes)) ?? bytes;
}

const place = (elf: ElfFile, segment: Segment): number => elf.phoff + 56 * segment.index;
const ofType = (elf: ElfFile, type: number): readonly Segment[] => elf.segments.filter((entry) => entry.type === type);

/** Gives every program header of one type another type. */
function retyped(from: number, to: number): Edit {
  return (bytes, elf) => {
    for (const segment of ofType(elf, from)) bytes.writeUInt32LE(to, place(elf, segment));
    return undefined;
  };
}

/** Writes a field of every program header of one type. */
function field(type: number, offset: number, value: number): Edit {
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

const withoutSections: Edit = (bytes) => {
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

const headerByte =
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

/** What is odd, and the file; a code where it is refused. */
const ODD: readonly (readonly [string, () => Buffer, string?])[] = [
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

let written = 0;
/** Each run gets a file of its own, so that none is written while it runs. */
function program(bytes: Uint8Array): string {
  written += 1;
  const path = join(folder, `odd-${written}`);
  writeFileSync(path, bytes, { mode: 0o755 });
  return path;
}

interface Outcome {
  readonly status: number | null;
  readonly signal: string | null;
  readonly text: string;
}

/** argv[0] is the same for all, since uname.c prints its last argument. */
function run(path: string): Outcome {
  const options = { encoding: 'utf8', timeout: 20_000, cwd: folder, argv0: 'odd' } as const;
  const { status, signal, stdout, stderr } = spawnSync(path, [], options);
  return { status, signal, text: `${stdout}${stderr}` };
}

const readelf = (path: string): string =>
  spawnSync('readelf', ['-lW', path], { encoding: 'utf8' }).stderr.replaceAll(path, '');

const REWRITERS: readonly (readonly string[])[] = [
  ['strip'],
  ['objcopy', '-S'],
  ['objcopy', '--remove-section=.selkie'],
  ['strip', '--strip-section-headers'],
  ['llvm-strip'],
  ['llvm-objcopy', '--strip-sections'],
  ['eu-strip'],
  ['patchelf', '--set-rpath', '/tmp'],
  ['patchelf', '--set-interpreter', '/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2'],
];

/** Every rewriting tool on a sealed file; returns what became of it, and fails where it runs unconfined. */
function rewrite(title: string, sealed: Uint8Array): string[] {
  return REWRITERS.filter(([tool = '']) => missingTools(tool) === false).map(([tool = '', ...flags]) => {
    const path = program(sealed);
    const refused = spawnSync(tool, [...flags, path]).status !== 0;
    const { status, signal } = run(path);
    assert.notEqual(status, 7, `${title}: unconfined after ${tool} ${flags.join(' ')}`);
    return `${tool} ${flags[0] ?? ''}: ${refused ? 'refused' : (signal ?? status)}`;
  });
}

test('the relative interpreter is there', { skip }, () => {
  mkdirSync(join(folder, 'lib'));
  copyFileSync('/lib64/ld-linux-x86-64.so.2', join(folder, 'lib', 'loader'));
  symlinkSync('lib/loader', join(folder, 'loader'));
});

for (const [title, make, code] of ODD) {
  test(`${title}: ${code ?? 'sealed, it runs as before and confined'}`, { skip }, (context) => {
    const original = make();
    const untouched = Buffer.from(original);
    const seal = (...denied: readonly number[]): Uint8Array =>
      sealElf(original, { program: denying(...denied), policyText: '', sha256 }).bytes;
    if (code !== undefined) {
      return assert.throws(
        () => seal(),
        (error) => error instanceof ElfError && error.code === code,
      );
    }
    const before = run(program(original));
    const sealed = program(seal());
    assert.deepEqual(run(sealed), before);
    assert.ok(Buffer.from(unsealElf(readFileSync(sealed), sha256)).equals(untouched));
    assert.equal(readelf(sealed), readelf(program(original)));
    if (before.status !== 7) return assert.equal(before.status, 0, before.text);
    const closed = seal(NR.uname);
    assert.equal(run(program(closed)).status, 8);
    context.diagnostic(rewrite(title, closed).join(', '));
  });
}
