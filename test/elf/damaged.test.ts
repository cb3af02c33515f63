import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { ElfError } from '../../src/base/errors.ts';
import { inspectElf, unsealElf } from '../../src/elf/inspect.ts';
import { readElf } from '../../src/elf/read.ts';
import { sealElf } from '../../src/elf/seal.ts';
import { denying } from '../support/filters.ts';

const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();
const seal = (bytes: Uint8Array): Uint8Array => sealElf(bytes, { program: denying(63), policyText: '', sha256 }).bytes;

const ENTRY = 0x401000;
/** Where the parts of the model file stand. */
const PHOFF = 64;
const SHOFF = 0x2040;

/** A small program as a linker might write it: header, two PT_LOADs, PT_NOTE, PT_GNU_STACK, three sections. */
function model(): { bytes: Uint8Array; view: DataView } {
  const bytes = new Uint8Array(SHOFF + 3 * 64);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  const u64 = (offset: number, ...values: number[]): void => {
    values.forEach((value, index) => {
      view.setBigUint64(offset + 8 * index, BigInt(value), true);
    });
  };
  const u32 = (offset: number, ...values: number[]): void => {
    values.forEach((value, index) => {
      view.setUint32(offset + 4 * index, value, true);
    });
  };
  view.setUint16(16, 2, true);
  view.setUint16(18, 62, true);
  u32(20, 1);
  u64(24, ENTRY, PHOFF, SHOFF);
  [64, 56, 4, 64, 3, 2].forEach((value, index) => {
    view.setUint16(52 + 2 * index, value, true);
  });
  const segment = (index: number, type: number, flags: number, ...rest: number[]): void => {
    u32(PHOFF + 56 * index, type, flags);
    u64(PHOFF + 56 * index + 8, ...rest);
  };
  segment(0, 1, 4, 0, 0x400000, 0x400000, 0x200, 0x200, 0x1000);
  segment(1, 1, 5, 0x1000, ENTRY, ENTRY, 0x100, 0x100, 0x1000);
  segment(2, 4, 4, 0x158, 0x400158, 0x400158, 0x14, 0x14, 4);
  segment(3, 0x6474e551, 6, 0, 0, 0, 0, 0, 16);
  u32(0x158, 4, 4, 1, 0x554e47, 0);
  const section = (index: number, name: number, type: number, ...rest: number[]): void => {
    u32(SHOFF + 64 * index, name, type);
    u64(SHOFF + 64 * index + 8, ...rest);
  };
  section(1, 1, 1, 6, ENTRY, 0x1000, 0x100, 0, 16, 0);
  section(2, 7, 3, 0, 0, 0x2000, 17, 0, 1, 0);
  bytes.set(new TextEncoder().encode('\0.text\0.shstrtab\0'), 0x2000);
  return { bytes, view };
}

type Change = (view: DataView, bytes: Uint8Array) => undefined | Uint8Array;
const u16 =
  (offset: number, value: number): Change =>
  (view) =>
    void view.setUint16(offset, value, true);
const u32 =
  (offset: number, value: number): Change =>
  (view) =>
    void view.setUint32(offset, value, true);
const u64 =
  (offset: number, value: bigint): Change =>
  (view) =>
    void view.setBigUint64(offset, value, true);
const byte =
  (offset: number, value: number): Change =>
  (view) =>
    void view.setUint8(offset, value);
const both =
  (first: Change, second: Change): Change =>
  (view, bytes) => {
    first(view, bytes);
    return second(view, bytes);
  };
const cut =
  (size: number): Change =>
  (_, bytes) =>
    bytes.slice(0, size);
const segmentField = (index: number, field: number): number => PHOFF + 56 * index + field;
const sectionField = (index: number, field: number): number => SHOFF + 64 * index + field;
const HUGE = 0xffff_ffff_ffff_ffffn;

/** What is wrong, the code it must give, and how to make it so. */
const CASES: readonly (readonly [string, string, Change])[] = [
  ['an empty file', 'elf_not_elf', cut(0)],
  ['one byte', 'elf_not_elf', cut(1)],
  ['the magic alone', 'elf_damaged', cut(4)],
  ['half a header', 'elf_damaged', cut(40)],
  ['a header alone', 'elf_damaged', cut(64)],
  ['half a table of program headers', 'elf_damaged', cut(100)],
  ['no section table', 'elf_damaged', cut(SHOFF)],
  ['half a section table', 'elf_damaged', cut(SHOFF + 100)],
  ['text', 'elf_not_elf', (_, bytes) => void bytes.fill(0x61)],
  ['zeros', 'elf_not_elf', (_, bytes) => void bytes.fill(0)],
  ['a script', 'elf_script', () => new TextEncoder().encode('#!/usr/bin/env python3\nprint()\n')],
  ['a script that names nothing', 'elf_script', () => new TextEncoder().encode('#!')],
  ['a 32-bit file', 'elf_class', byte(4, 1)],
  ['class 0', 'elf_damaged', byte(4, 0)],
  ['a big-endian file', 'elf_class', byte(5, 2)],
  ['data encoding 7', 'elf_damaged', byte(5, 7)],
  ['version 0', 'elf_damaged', byte(6, 0)],
  ['RISC-V', 'elf_machine', u16(18, 243)],
  ['an unknown machine', 'elf_machine', u16(18, 0xfffe)],
  ['a relocatable object', 'elf_type', u16(16, 1)],
  ['a core dump', 'elf_type', u16(16, 4)],
  ['type 0', 'elf_type', u16(16, 0)],
  ['a shared library', 'elf_type', both(u16(16, 3), u64(24, 0n))],
  ['no entry', 'elf_type', u64(24, 0n)],
  ['an entry in data', 'elf_damaged', u64(24, 0x400000n)],
  ['an entry behind the code', 'elf_damaged', u64(24, 0x401100n)],
  ['an entry beyond everything', 'elf_damaged', u64(24, HUGE)],
  ['no program headers', 'elf_type', u16(56, 0)],
  ['65,535 program headers', 'elf_damaged', u16(56, 0xffff)],
  ['more program headers than fit', 'elf_damaged', u16(56, 1000)],
  ['program headers of 32 bytes', 'elf_damaged', u16(54, 32)],
  ['program headers inside the header', 'elf_damaged', u64(32, 8n)],
  ['program headers beyond the file', 'elf_damaged', u64(32, 0x10_0000n)],
  ['program headers at 2^64 - 1', 'elf_damaged', u64(32, HUGE)],
  ['nothing to load', 'elf_type', both(u32(64, 0), u32(120, 0))],
  ['content of a PT_LOAD beyond the file', 'elf_damaged', u64(segmentField(1, 8), 0x10_0000n)],
  ['a PT_LOAD of 2^64 - 1 bytes', 'elf_damaged', u64(segmentField(1, 32), HUGE)],
  ['more bytes in the file than in memory', 'elf_damaged', u64(segmentField(1, 40), 1n)],
  ['addresses and offsets that differ within a page', 'elf_damaged', u64(segmentField(1, 8), 0x1010n)],
  ['PT_LOADs that overlap', 'elf_damaged', u64(segmentField(0, 40), 0x2000n)],
  ['PT_LOADs out of order', 'elf_damaged', u64(segmentField(0, 16), 0x500000n)],
  ['an address beyond 47 bits', 'elf_damaged', u64(segmentField(1, 40), 0x8000_0000_0000n)],
  ['an address beyond 53 bits', 'elf_damaged', u64(segmentField(1, 16), 0x40_0000_0000_0000n)],
  ['no room behind the last PT_LOAD', 'elf_no_room', u64(segmentField(1, 40), 0x7fff_0000_0000n)],
  ['an interpreter without an end', 'elf_damaged', both(u32(segmentField(2, 0), 3), u64(segmentField(2, 32), 1n))],
  ['a note beyond the file', 'elf_damaged', u64(segmentField(2, 8), 0x9999n)],
  ['section headers of 40 bytes', 'elf_damaged', u16(58, 40)],
  ['section headers beyond the file', 'elf_damaged', u64(40, 0x10_0000n)],
  ['more section headers than fit', 'elf_damaged', u16(60, 500)],
  ['extended section numbers', 'elf_damaged', u16(60, 0)],
  ['section names in a section that is not there', 'elf_damaged', u16(62, 9)],
  ['section names beyond the file', 'elf_damaged', u64(sectionField(2, 24), 0x10_0000n)],
  ['a name beyond the names', 'elf_damaged', u32(sectionField(1, 0), 5000)],
  ['names without an end', 'elf_damaged', u64(sectionField(2, 32), 16n)],
  ['content of a section beyond the file', 'elf_damaged', u64(sectionField(1, 24), 0x10_0000n)],
  ['a section of 2^64 - 1 bytes', 'elf_damaged', u64(sectionField(1, 32), HUGE)],
];

test('the model file is sealed, and unsealed', () => {
  const { bytes } = model();
  assert.deepEqual(unsealElf(seal(bytes), sha256), bytes);
});

for (const [title, code, change] of CASES) {
  test(`${title}: ${code}`, () => {
    const { bytes, view } = model();
    const input = change(view, bytes) ?? bytes;
    assert.throws(
      () => seal(input),
      (error) => error instanceof ElfError && error.code === code && error.message.length > 30,
    );
  });
}

test('messages name what was found', () => {
  const message = (change: Change): string => {
    const { bytes, view } = model();
    try {
      seal(change(view, bytes) ?? bytes);
    } catch (error) {
      return (error as Error).message;
    }
    return '';
  };
  assert.match(message(u16(18, 243)), /it is for RISC-V, wanted x86-64 or AArch64/);
  assert.match(
    message(() => new TextEncoder().encode('#! /bin/sh -e\n')),
    /a script that "\/bin\/sh" runs/,
  );
  assert.match(message(u16(16, 1)), /a relocatable object, wanted a program/);
  assert.match(message(cut(4)), /ends after 4 bytes/);
});

test('whatever bytes change, sealing, inspecting and unsealing end in a result or an ElfError', () => {
  const original = model().bytes;
  const sealed = seal(original);
  const edit = fc.tuple(fc.nat({ max: 20_000 }), fc.constantFrom(0, 1, 2, 3, 7, 0x7f, 0x80, 0xff));
  const inputs = fc.tuple(fc.boolean(), fc.array(edit, { minLength: 1, maxLength: 6 }), fc.nat({ max: 40_000 }));
  fc.assert(
    fc.property(inputs, ([useSealed, edits, size]) => {
      const bytes = Uint8Array.from((useSealed ? sealed : original).subarray(0, size < 20_000 ? size : undefined));
      for (const [offset, value] of edits) {
        // Half of the changes fall into headers.
        const place = offset % 2 === 0 ? offset % 0x160 : offset;
        if (place < bytes.length) bytes[place] = value;
      }
      for (const action of [readElf, seal, inspectElf, (input: Uint8Array) => unsealElf(input, sha256)]) {
        try {
          action(bytes);
        } catch (error) {
          if (!(error instanceof ElfError)) throw error;
        }
      }
    }),
    { numRuns: 5000 },
  );
});

test('a seal of another format version, or with damaged records, is refused by its own name', () => {
  const sealed = seal(model().bytes);
  const start = readElf(sealed).segments.findLast((segment) => segment.type === 1)?.offset ?? 0;
  const changed = (offset: number, value: number): Uint8Array => {
    const copy = Uint8Array.from(sealed);
    new DataView(copy.buffer).setUint32(start + offset, value, true);
    return copy;
  };
  assert.throws(() => inspectElf(changed(8, 2)), { code: 'elf_damaged', message: /format version 2, wanted 1/ });
  for (const offset of [20, 24, 28, 32]) assert.throws(() => inspectElf(changed(offset, 0xffff_fff0)), ElfError);
});
