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
import { missingTools } from '../support/tools.ts';

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

  for (const [kind, cgo, link] of [
    ['linked by Go', false, ''],
    ['linked by gcc', true, '-linkmode=external'],
  ] as const)
    test(`a position-independent file without symbols says what symbols say, ${kind}: ${label}`, {
      skip: !here || (cgo && missingTools('gcc')),
    }, (context) => {
      const folder = scratchFolder(context);
      const [plain, stripped] = [join(folder, 'plain'), join(folder, 'stripped')];
      buildGo(go, 'denied-go', plain, { cgo, flags: ['-buildmode=pie', `-ldflags=${link}`] });
      buildGo(go, 'denied-go', stripped, { cgo, flags: ['-buildmode=pie', `-ldflags=-s -w ${link}`] });
      const elf = readElf(readFileSync(plain));
      const bare = readElf(readFileSync(stripped));
      // The same code at the same place, so that the one may be asked by the other's symbols.
      const text = (file: ElfFile) => file.sections.find(({ name }) => name === '.text');
      assert.deepEqual([text(bare)?.addr, text(bare)?.size], [text(elf)?.addr, text(elf)?.size]);
      const tables = [readGoTable(elf), readGoTable(bare)];
      let found = 0;
      for (const address of addresses(elf)) {
        const symbol = functionAt(elf, address)?.replace(/\.abi(?:0|internal)$/, '');
        for (const table of tables) {
          assert.ok(table);
          const name: string | undefined = table.placeOf(address)?.function;
          if (symbol === undefined || name === undefined) continue;
          assert.equal(name.replace(/\[.*/, ''), symbol.replace(/\[.*/, ''));
          found += 1;
        }
      }
      assert.ok(found > PLACES, String(found));
    });
}
