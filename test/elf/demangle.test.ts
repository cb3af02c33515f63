import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { demangle } from '../../src/elf/demangle.ts';
import { scratchFolder } from '../support/folders.ts';
import { ROOT, runCommand } from '../support/selkie.ts';
import { missingTools } from '../support/tools.ts';

/** Mangled names of a file, and what c++filt makes of them without parameters. Rust's hashes tell no reader anything: they and the types of numbers are left out. */
function names(file: string): readonly (readonly [string, string])[] {
  const options = { maxBuffer: 2 ** 28 };
  const listed = runCommand(['nm', '--defined-only', '-j', file], options).stdout.split('\n');
  const symbols = listed.filter((name) => /^_[RZ]\w*$/.test(name));
  const { stdout } = runCommand(['c++filt', '-p'], { ...options, input: symbols.join('\n') });
  const plain = stdout
    .split('\n')
    .map((name) => name.replace(/\[[0-9a-f]{10,16}\]|::h[0-9a-f]{16}$|(?<=\d): [iu](?:8|16|32|64|128|size)\b/g, ''));
  return symbols.map((symbol, index) => [symbol, plain[index] ?? '']);
}

/** @returns the share of names that are read; those that are not stay as they are */
function compare(file: string): number {
  const all = names(file);
  let read = 0;
  for (const [symbol, wanted] of all) {
    const name = demangle(symbol);
    if (name === symbol) continue;
    assert.equal(name, wanted, symbol);
    read += 1;
  }
  return read / all.length;
}

for (const flags of [[], ['-C', 'symbol-mangling-version=v0']])
  test(`names of Rust are those of c++filt: ${flags[1] ?? 'as the compiler likes'}`, {
    skip: missingTools('rustc', 'nm', 'c++filt'),
  }, (context) => {
    const file = join(scratchFolder(context), 'rust');
    const { status, stderr } = runCommand(['rustc', '-O', ...flags, '-o', file, join(ROOT, 'test/programs/denied.rs')]);
    assert.equal(status, 0, stderr);
    assert.ok(compare(file) > 0.95);
  });

test("names of C++ are those of c++filt, as far as they are made of identifiers: Node's own", {
  skip: missingTools('nm', 'c++filt'),
}, (context) => {
  if (names(process.execPath).length < 1000) {
    context.skip('this Node has no symbols');
    return;
  }
  assert.ok(compare(process.execPath) > 0.5);
});

test('what is cut off or made up stays as it is', () => {
  for (const [symbol] of [
    ['_ZN4node'],
    ['_ZN99node3fooE'],
    ['_RNvC'],
    ['_RNvCs_B9999_4main'],
    ['_R'],
    ['_Z'],
    ['main'],
  ] as const)
    assert.equal(demangle(symbol), symbol);
});
