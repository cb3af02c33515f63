import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import type { FrameRow, RegisterRule } from '../../src/elf/call-frame.ts';
import { readFrameTable } from '../../src/elf/eh-frame.ts';
import { PT_GNU_EH_FRAME } from '../../src/elf/format.ts';
import { readElf } from '../../src/elf/read.ts';
import { scratchFolder } from '../support/folders.ts';
import { ROOT, runCommand } from '../support/selkie.ts';
import { missingTools } from '../support/tools.ts';

const REGISTERS = 'rax rdx rcx rbx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 ra'.split(' ');
const LIBC = '/lib/x86_64-linux-gnu/libc.so.6';

/** What readelf says of an address: the CFA, and each column of registers. */
interface Wanted {
  readonly address: number;
  readonly cfa: string;
  readonly columns: readonly (readonly [string, string])[];
}

/** Parses `readelf --debug-dump=frames-interp`. */
function readelfRows(file: string): readonly Wanted[] {
  const { stdout } = runCommand(['readelf', '--debug-dump=frames-interp', '-wN', file], { maxBuffer: 2 ** 28 });
  const rows: Wanted[] = [];
  let end = 0;
  let names: readonly string[] = [];
  for (const line of stdout.split('\n')) {
    const head = / (FDE|CIE)(?:.* pc=[0-9a-f]+\.\.([0-9a-f]+))?/.exec(line);
    if (head) end = head[1] === 'FDE' ? Number.parseInt(head[2] ?? '0', 16) : 0;
    if (/^ +LOC +CFA/.test(line)) names = line.trim().split(/\s+/).slice(2);
    const row = /^([0-9a-f]{16}) (\S+) *(.*)$/.exec(line.trim());
    const address = Number.parseInt(row?.[1] ?? '0', 16);
    if (!row || address >= end) continue;
    // Another register is written in two words: r9 (r9).
    const values = (row[3] ?? '').replace(/r\d+ \((\w+)\)/g, '$1').split(/\s+/);
    rows.push({ address, cfa: row[2] ?? '', columns: names.map((name, index) => [name, values[index] ?? '']) });
  }
  return rows;
}

const signed = (offset: number): string => (offset < 0 ? `${offset}` : `+${offset}`);

function ruleText(rule: RegisterRule | undefined): string {
  if (rule === undefined || rule.kind === 'undefined') return 'u';
  if (rule.kind === 'saved') return `c${signed(rule.offset)}`;
  if (rule.kind === 'is') return `v${signed(rule.offset)}`;
  if (rule.kind === 'register') return REGISTERS[rule.register] ?? '';
  return rule.kind === 'same' ? 's' : rule.kind === 'saved-by-expression' ? 'exp' : 'vexp';
}

const cfaText = ({ cfa }: FrameRow): string =>
  'register' in cfa ? `${REGISTERS[cfa.register]}${signed(cfa.offset)}` : 'exp';

/** Compares all that readelf lists. @returns how many rows there are */
function compare(file: string): number {
  const table = readFrameTable(readElf(readFileSync(file)));
  assert.ok(table);
  const rows = readelfRows(file);
  for (const { address, cfa, columns } of rows) {
    const row: FrameRow | undefined = table.rowAt(address);
    const place = `${file} 0x${address.toString(16)}`;
    assert.ok(row, place);
    assert.equal(cfaText(row), cfa, place);
    for (const [name, value] of columns)
      assert.equal(ruleText(row.rules.get(REGISTERS.indexOf(name))), value, `${place} ${name}`);
  }
  return rows.length;
}

test('each row of .eh_frame is what readelf reads: libraries and bash', { skip: missingTools('readelf') }, () => {
  let rows = 0;
  for (const file of [LIBC, '/lib64/ld-linux-x86-64.so.2', '/bin/bash']) rows += compare(file);
  assert.ok(rows > 10_000, String(rows));
});

test('the same for static programs, which have no sorted table, and stripped ones', {
  skip: missingTools('readelf', 'gcc', 'strip'),
}, (context) => {
  const folder = scratchFolder(context);
  for (const flags of ['-static', '-static-pie', '-no-pie']) {
    const file = join(folder, flags);
    const { status, stderr } = runCommand(['gcc', '-O2', flags, '-o', file, join(ROOT, 'test/programs/waits.c')]);
    assert.equal(status, 0, stderr);
    assert.equal(runCommand(['strip', file]).status, 0);
    const hasTable = readElf(readFileSync(file)).segments.some(({ type }) => type === PT_GNU_EH_FRAME);
    assert.ok(compare(file) > (flags === '-no-pie' ? 20 : 3000), flags);
    if (flags === '-static') assert.equal(hasTable, false);
  }
});

test('with and without the sorted table the same is found', { skip: missingTools('readelf') }, () => {
  const elf = readElf(readFileSync(LIBC));
  const scanning = readFrameTable({ ...elf, segments: elf.segments.filter(({ type }) => type !== PT_GNU_EH_FRAME) });
  const sorted = readFrameTable(elf);
  const text = elf.sections.find(({ name }) => name === '.text');
  assert.ok(scanning && sorted && text);
  let found = 0;
  for (let address = text.addr; address < text.addr + text.size; address += 997) {
    const row: FrameRow | undefined = sorted.rowAt(address);
    assert.deepEqual(scanning.rowAt(address), row, `0x${address.toString(16)}`);
    if (row) found += 1;
  }
  assert.ok(found > 500, String(found));
});

test('a damaged table says nothing or something, and never throws', () => {
  const bytes = readFileSync(LIBC);
  const elf = readElf(bytes);
  const text = elf.sections.find(({ name }) => name === '.text');
  const parts = elf.sections.filter(({ name }) => name === '.eh_frame' || name === '.eh_frame_hdr');
  assert.ok(text && parts.length === 2);
  let seed = 12345;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
  const intact = readFrameTable(elf);
  let changed = 0;
  for (let round = 0; round < 20; round += 1) {
    const damaged = Uint8Array.from(bytes);
    for (const { offset, size } of parts)
      for (let count = 0; count < size / 20; count += 1) damaged[offset + random(size)] = random(256);
    const table = readFrameTable(readElf(damaged));
    for (let count = 0; count < 200; count += 1) {
      const address = text.addr + random(text.size);
      if (JSON.stringify(table?.rowAt(address)) !== JSON.stringify(intact?.rowAt(address))) changed += 1;
    }
  }
  assert.ok(changed > 100, String(changed));
});
