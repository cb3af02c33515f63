import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { readGoTable } from '../../src/elf/gopclntab.ts';
import { type ElfFile, readElf } from '../../src/elf/read.ts';
import { functionAt } from '../../src/elf/symbols.ts';
import { scratchFolder } from '../support/folders.ts';
import { buildGo, GO_TOOLS } from '../support/go.ts';

const PLACES = 600;

/** Addresses spread over the code of a file. */
function addresses(elf: ElfFile): readonly number[] {
  const text = elf.sections.find(({ name }) => name === '.text');
  assert.ok(text);
  return Array.from({ length: PLACES }, (_, index) => text.addr + Math.floor((text.size * (index + 0.5)) / PLACES));
}

for (const { label, go, here } of GO_TOOLS) {
  test(`functions and lines are those of go tool addr2line, in a stripped file too: ${label}`, {
    skip: !here,
  }, (context) => {
    const folder = scratchFolder(context);
    const [plain, stripped] = [join(folder, 'plain'), join(folder, 'stripped')];
    buildGo(go, 'story', plain);
    buildGo(go, 'story', stripped, { flags: ['-ldflags=-s -w'] });
    const elf = readElf(readFileSync(plain));
    const input = addresses(elf).map((address) => `0x${address.toString(16)}\n`);
    const tool = spawnSync(go, ['tool', 'addr2line', plain], { input: input.join(''), encoding: 'utf8' });
    assert.equal(tool.status, 0, tool.stderr);
    const lines = tool.stdout.split('\n');
    for (const [file, table] of [readGoTable(elf), readGoTable(readElf(readFileSync(stripped)))].entries()) {
      assert.ok(table);
      let found = 0;
      for (const [index, address] of addresses(elf).entries()) {
        const [name, place] = [lines[2 * index], lines[2 * index + 1]];
        const got = table.placeOf(address);
        // Between functions there is nothing.
        if (name === '?' || place === ':-1' || !got) continue;
        found += 1;
        assert.deepEqual([got.function, `${got.file}:${got.line}`], [name, place], `${file} 0x${address.toString(16)}`);
      }
      assert.ok(found > 0.8 * PLACES, String(found));
    }
  });

  test(`a position-independent file, and functions by symbols: ${label}`, { skip: !here }, (context) => {
    const file = join(scratchFolder(context), 'pie');
    buildGo(go, 'story', file, { flags: ['-buildmode=pie'] });
    const elf = readElf(readFileSync(file));
    const table = readGoTable(elf);
    // Where the linker leaves the start of the code to relocation nothing is said, and symbols have their turn.
    if (!table) return;
    for (const address of addresses(elf)) {
      const symbol: string | undefined = functionAt(elf, address)?.replace(/\.abi(?:0|internal)$/, '');
      const name: string | undefined = table.placeOf(address)?.function;
      if (symbol !== undefined && name !== undefined)
        assert.equal(name.replace(/\[.*/, ''), symbol.replace(/\[.*/, ''));
    }
  });
}
