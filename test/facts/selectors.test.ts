import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { ArchName } from '../../src/facts/arches.ts';
import { dangersOf } from '../../src/facts/dangers.ts';
import { parameters } from '../../src/facts/prototypes.ts';
import { DANGERS, SELECTORS } from '../../src/facts/selector-table.ts';
import { selectorsOf } from '../../src/facts/selectors.ts';
import { syscallNumber } from '../../src/facts/syscalls.ts';
import { ROOT } from '../support/selkie.ts';

const ABIS: readonly ArchName[] = ['x86_64', 'x32', 'i386'];
const CALLS = Object.keys(SELECTORS);

test('every call of the table is one of x86, and its words name arguments that are no pointers', () => {
  for (const call of CALLS) {
    const abis = ABIS.filter((arch) => syscallNumber(arch, call) !== undefined);
    assert.ok(abis.length > 0, call);
    // The old mmap of i386 has a pointer to its arguments.
    for (const arch of abis)
      assert.equal(selectorsOf(arch, call).length === 0, arch === 'i386' && call === 'mmap', call);
  }
  for (const arch of ABIS)
    for (const { argument, index } of CALLS.flatMap((call) => selectorsOf(arch, call).slice()))
      assert.ok(index < 6, argument);
});

test('numbers and flags share no bit, and have none that the kernel does not read', () => {
  for (const arch of ABIS)
    for (const call of CALLS)
      for (const { argument, index, width, number, flags } of selectorsOf(arch, call)) {
        assert.equal(number & flags, 0n, `${call} ${argument}`);
        assert.notEqual(number | flags, 0n, `${call} ${argument}`);
        assert.equal((number | flags) >> BigInt(width), 0n, `${call} ${argument}`);
        assert.equal(parameters(arch, call)?.[index]?.name, argument);
      }
});

test('dangers are values of selectors, with constants that x86_64 has, and bits of one argument at most', () => {
  for (const [call, texts] of Object.entries(DANGERS)) {
    const arch = syscallNumber('x86_64', call) === undefined ? 'i386' : 'x86_64';
    const dangers = dangersOf(arch, call);
    assert.equal(dangers.length, texts.length, call);
    const selectors = selectorsOf(arch, call);
    for (const { name, values } of dangers) {
      for (const argument of values.keys())
        assert.ok(
          selectors.some((each) => each.argument === argument),
          name,
        );
      const withFlags = selectors.filter(({ argument, flags }) => ((values.get(argument) ?? 0n) & flags) !== 0n);
      assert.ok(withFlags.length <= 1, name);
    }
  }
});

test('what an int holds above its 32 bits is no part of a selector; clone has its signal beside its flags', () => {
  const [request] = selectorsOf('x86_64', 'ioctl');
  assert.equal(request?.number, 0xffff_ffffn);
  const [flags] = selectorsOf('x86_64', 'clone');
  assert.deepEqual([flags?.number, flags?.flags], [0xffn, 0xffff_ff00n]);
  assert.equal(selectorsOf('x86_64', 'mmap')[0]?.number, 0n);
});

test('docs/arguments.md has the table', () => {
  const rows = readFileSync(join(ROOT, 'docs/arguments.md'), 'utf8').replaceAll('\\|', '|').split('\n');
  for (const [call, words] of Object.entries(SELECTORS)) {
    const row = rows.find((text) => new RegExp(`^\\| (?:\\S+ )*${call} `).test(text));
    const texts = words.split(' ').map((word) => `\`${word.replace(/:.*$/, '')}\``);
    assert.ok(row?.includes(`| ${texts.join(' ')} |`), call);
    for (const text of DANGERS[call] ?? []) {
      const name = text.split(' ').map((pair) => pair.replace(/^.*=/, '').replaceAll('|', ' with '));
      assert.ok(row?.includes(name.join(' ')), text);
    }
  }
});
