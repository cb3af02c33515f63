import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Segment } from '../../src/elf/read.ts';
import {
  bare,
  type Edit,
  edited,
  field,
  folder,
  full,
  headerByte,
  link,
  type Odd,
  ofType,
  PT,
  place,
  scripted,
  withoutSections,
} from './odd-elf.ts';

/** More of odd-elf.ts: what other linkers and rewriting tools make, and headers at the limits of the kernel. */

let rewrites = 0;
/** The file as a tool rewrites it in place. */
function rewritten(bytes: Buffer, tool: string, ...flags: readonly string[]): Buffer {
  rewrites += 1;
  const path = join(folder, `rewritten-${rewrites}`);
  writeFileSync(path, bytes, { mode: 0o755 });
  execFileSync(tool, [...flags, path], { stdio: 'pipe' });
  return readFileSync(path);
}

/** The file with a second source linked in. */
function linkedWith(text: string, extension: string, ...flags: readonly string[]): Buffer {
  const path = join(folder, `extra-${text.length}.${extension}`);
  writeFileSync(path, text);
  return full(path, ...flags);
}

/** A thread-local variable and an indirect function, both looked at before main. */
const TLS_AND_IFUNC = `#include <unistd.h>
static __thread int own[1000] = {7};
static __thread int zeros[50000];
static int three(void) { return 3; }
static void *resolve(void) { return three; }
int chosen(void) __attribute__((ifunc("resolve")));
__attribute__((constructor)) static void look(void) { if (own[0] + zeros[9] + chosen() != 10) _exit(99); }
`;
const LARGE = '.data\n.fill 115343360,1,7\n.section .note.GNU-stack,"",@progbits\n';
/** Sections without a page between them, so that two PT_LOADs meet in one page. */
const SHARED_PAGE = `PHDRS { code PT_LOAD FILEHDR PHDRS FLAGS(5); data PT_LOAD FLAGS(7); }
SECTIONS { . = 0x400000 + SIZEOF_HEADERS; .rodata : { *(.rodata*) } :code .text : { *(.text*) } :data .data : { *(.data*) *(.bss*) *(COMMON) } :data /DISCARD/ : { *(*) } }`;
const ZERO_FILE_BYTES = `PHDRS { code PT_LOAD FILEHDR PHDRS FLAGS(5); zero PT_LOAD FLAGS(6); }
SECTIONS { . = 0x400000 + SIZEOF_HEADERS; .text : { *(.text*) *(.rodata*) } :code . = 0x600000; .bss : { *(.data*) *(.bss*) *(COMMON) } :zero /DISCARD/ : { *(*) } }`;
/** A script that links `count` program headers. */
export const headers = (count: number): string => `PHDRS { ${'n PT_NULL; '
  .repeat(count - 1)
  .replace(/n/g, () => `n${rewrites++}`)} code PT_LOAD FILEHDR PHDRS FLAGS(7); }
SECTIONS { . = 0x400000 + SIZEOF_HEADERS; .text : { *(.text*) *(.rodata*) *(.data*) *(.bss*) *(COMMON) } :code /DISCARD/ : { *(*) } }`;

/** PT_INTERP behind everything that is loaded: the kernel reads it from the file. */
const interpreterAtEnd: Edit = (bytes, elf) => {
  const [interpreter] = ofType(elf, PT.INTERP) as [Segment];
  const at = place(elf, interpreter);
  bytes.writeBigUInt64LE(BigInt(bytes.length), at + 8);
  return Buffer.concat([bytes, bytes.subarray(interpreter.offset, interpreter.offset + interpreter.filesz)]);
};

const interpreterWithoutEnd: Edit = (bytes, elf) => {
  const [{ offset, filesz }] = ofType(elf, PT.INTERP) as [Segment];
  bytes.writeUInt8(0x78, offset + filesz - 1);
  return undefined;
};

/** Two entries of the table change places. */
const firstAndSecondLoad: Edit = (bytes, elf) => {
  const [first, second] = ofType(elf, PT.LOAD) as [Segment, Segment];
  const copy = Buffer.from(bytes.subarray(place(elf, first), place(elf, first) + 56));
  bytes.copy(bytes, place(elf, first), place(elf, second), place(elf, second) + 56);
  copy.copy(bytes, place(elf, second));
  return undefined;
};

/** Program headers at an offset that is no multiple of 8. */
const oddTable: Edit = (bytes, elf) => {
  const start = Math.ceil(bytes.length / 8) * 8 + 4;
  const longer = Buffer.alloc(start + 56 * elf.segments.length);
  bytes.copy(longer);
  bytes.copy(longer, start, elf.phoff, elf.phoff + 56 * elf.segments.length);
  longer.writeBigUInt64LE(BigInt(start), 32);
  return longer;
};

/** Only the first header of a type changes its type. */
function retypedFirst(from: number, to: number): Edit {
  return (bytes, elf) => void bytes.writeUInt32LE(to, place(elf, ofType(elf, from)[0] as Segment));
}

const word =
  (offset: number, value: number): Edit =>
  (bytes) =>
    void bytes.writeUInt16LE(value, offset);

const pie = ['-fPIE', '-pie'] as const;
const LONG = `/${'long/'.repeat(60)}`;

export const MORE_ODD: readonly Odd[] = [
  ['the linker lld', () => full('-fuse-ld=lld', ...pie)],
  ['lld, static', () => bare('-fuse-ld=lld')],
  ['lld, static with the C library', () => full('-fuse-ld=lld', '-static')],
  ['lld, separate loadable segments', () => full('-fuse-ld=lld', '-no-pie', '-Wl,-z,separate-loadable-segments')],
  ['lld, no read-only segment', () => full('-fuse-ld=lld', '-no-pie', '-Wl,--no-rosegment')],
  ['lld, -N', () => bare('-fuse-ld=lld', '-Wl,-N')],
  ['the linker mold', () => full('-fuse-ld=mold', ...pie)],
  ['mold, static', () => full('-fuse-ld=mold', '-static')],
  ['mold, static PIE', () => full('-fuse-ld=mold', '-static-pie')],
  ['separate code', () => full(...pie, '-Wl,-z,separate-code')],
  ['pages of 64 KiB', () => full(...pie, '-Wl,-z,max-page-size=0x10000')],
  ['pages of 16 MiB', () => bare('-Wl,-z,max-page-size=0x1000000')],
  ['relro and immediate binding', () => full(...pie, '-Wl,-z,relro,-z,now')],
  ['thread-local variables and an indirect function', () => linkedWith(TLS_AND_IFUNC, 'c', ...pie)],
  ['the same, static', () => linkedWith(TLS_AND_IFUNC, 'c', '-static')],
  ['the same, static PIE', () => linkedWith(TLS_AND_IFUNC, 'c', '-static-pie')],
  ['110 MiB of data', () => linkedWith(LARGE, 's', '-no-pie')],
  ['110 MiB behind the end', () => Buffer.concat([full('-static'), Buffer.alloc(110 << 20, 1)])],
  [
    '1 GiB of .bss, position-independent',
    () =>
      link(
        'bare.c',
        '-nostdlib',
        '-fno-stack-protector',
        '-static-pie',
        '-fPIE',
        '-mcmodel=large',
        `-DBALLAST=${2 ** 30}ul`,
      ),
  ],
  [
    'no loader and no notes, position-independent',
    () => link('bare.c', '-nostdlib', '-fno-stack-protector', ...pie, '-Wl,--no-dynamic-linker,--build-id=none'),
  ],
  ['position-independent from 4 MiB on, as prelink moves files', () => full(...pie, '-Wl,-Ttext-segment=0x400000')],
  ['an executable of fixed addresses with symbols for libraries', () => full('-no-pie', '-rdynamic')],
  ['patchelf: a long run path', () => rewritten(full(...pie), 'patchelf', '--set-rpath', LONG)],
  ['patchelf: a long run path, fixed addresses', () => rewritten(full('-no-pie'), 'patchelf', '--set-rpath', LONG)],
  [
    'patchelf: another interpreter',
    () => rewritten(full(...pie), 'patchelf', '--set-interpreter', '/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2'),
  ],
  [
    'patchelf: one more library, pages of 64 KiB',
    () => rewritten(full('-no-pie'), 'patchelf', '--page-size', '65536', '--add-needed', 'libm.so.6'),
  ],
  [
    'patchelf twice',
    () =>
      rewritten(rewritten(full(...pie), 'patchelf', '--set-rpath', LONG), 'patchelf', '--set-rpath', `${LONG}${LONG}`),
  ],
  ['strip', () => rewritten(full(...pie), 'strip')],
  ['llvm-objcopy: no section headers', () => rewritten(full(...pie), 'llvm-objcopy', '--strip-sections')],
  ['llvm-strip', () => rewritten(full(...pie), 'llvm-strip')],
  ['eu-strip', () => rewritten(full('-g', '-static'), 'eu-strip')],
  [
    'objcopy: compressed debug sections',
    () => rewritten(full('-g', ...pie), 'objcopy', '--compress-debug-sections=zlib-gnu'),
  ],
  [
    'objcopy: a section named .selkie',
    () => rewritten(full('-static'), 'objcopy', '--add-section', '.selkie=/etc/passwd'),
  ],
  [
    'objcopy: debug information alone',
    () => rewritten(full('-g', '-no-pie'), 'objcopy', '--only-keep-debug'),
    'elf_damaged',
  ],
  ['two segments that meet in one page', () => scripted('shared', SHARED_PAGE)],
  ['a segment with nothing of it in the file', () => scripted('zero', ZERO_FILE_BYTES)],
  ['1169 program headers, one less than the kernel takes', () => scripted('h1169', headers(1169))],
  ['1170 program headers, as many as the kernel takes', () => scripted('h1170', headers(1170)), 'elf_no_room'],
  ['program headers at an odd place', () => edited(bare(), oddTable)],
  ['an interpreter behind everything', () => edited(full(...pie), interpreterAtEnd)],
  ['an interpreter without its zero byte', () => edited(full(...pie), interpreterWithoutEnd), 'elf_damaged'],
  ['segments in the wrong order', () => edited(full('-static'), firstAndSecondLoad), 'elf_damaged'],
  [
    'an address that disagrees with its place in the page',
    () =>
      edited(
        bare(),
        (bytes, elf) =>
          void bytes.writeBigUInt64LE(
            BigInt((ofType(elf, PT.LOAD)[0] as Segment).vaddr + 8),
            place(elf, ofType(elf, PT.LOAD)[0] as Segment) + 16,
          ),
      ),
    'elf_damaged',
  ],
  ['PT_GNU_PROPERTY without its PT_NOTE', () => edited(full('-static'), retypedFirst(PT.NOTE, PT.NULL))],
  ['two PT_GNU_STACK', () => edited(full('-static'), retypedFirst(PT.NOTE, PT.STACK))],
  ['p_align of 1 GiB', () => edited(full('-static'), field(PT.LOAD, 48, 2 ** 30))],
  ['p_align of 2^40', () => edited(bare(), field(PT.LOAD, 48, 2 ** 40))],
  ['p_align of 2^63', () => edited(bare(), field(PT.LOAD, 48, 2 ** 63)), 'elf_damaged'],
  [
    'all of the section header fields 0',
    () =>
      edited(full('-static'), (bytes, elf) => {
        withoutSections(bytes, elf);
        bytes.writeUInt16LE(0, 58);
        return undefined;
      }),
  ],
  [
    'a section table beyond the end of the file',
    () => edited(full('-static'), (bytes) => void bytes.writeBigUInt64LE(2n ** 40n, 40)),
    'elf_damaged',
  ],
  ['more sections than a half word counts', () => edited(full('-static'), word(60, 0)), 'elf_damaged'],
  ['PN_XNUM program headers', () => edited(full('-static'), word(56, 0xffff)), 'elf_damaged'],
  ['data of the other byte order', () => edited(full('-static'), headerByte(5, 2)), 'elf_class'],
];
