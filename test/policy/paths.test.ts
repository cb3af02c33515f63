import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { FILE_RIGHTS, fileRights, HANDLED_BY_ABI, type PathRules, RIGHTS_OF_FILES } from '../../src/facts/landlock.ts';
import { policy } from '../../src/policy/builder.ts';
import { mergePolicies } from '../../src/policy/merge.ts';
import type { Paths } from '../../src/policy/model.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { pathDifferences, resolvePaths } from '../../src/policy/paths.ts';
import { printPolicy } from '../../src/policy/print.ts';
import { cannotCompile } from '../support/tools.ts';

const HEAD = 'selkie: 1\nsets: 1\ndefault: errno(EPERM)\nbad_arch: kill_process\nsyscalls: {}\n';
const pathsOf = (text: string): Paths => parsePolicy(`${HEAD}paths: ${text}\n`).paths as Paths;
const bits = (...names: string[]): number => fileRights(({ name }) => names.includes(name));

test('the bits are those of the C header, as far as it knows them', { skip: cannotCompile() }, () => {
  const names = FILE_RIGHTS.map(({ name }) => `LANDLOCK_ACCESS_FS_${name}`);
  const source = `#include <linux/landlock.h>\n${names.map((name) => `"${name}" ${name}`).join('\n')}\n`;
  const text = execFileSync('gcc', ['-E', '-P', '-x', 'c', '-'], { input: source, encoding: 'utf8' });
  const known = [...text.matchAll(/^"LANDLOCK_ACCESS_FS_(\w+)" \(1ULL << (\d+)\)$/gm)];
  assert.ok(known.length >= 13);
  for (const [, name, bit] of known) assert.equal(FILE_RIGHTS[Number(bit)]?.name, name);
});

test('what a kernel is asked to refuse grows by ABI, without gaps', () => {
  assert.deepEqual(
    HANDLED_BY_ABI.map(({ abi, rights }) => [abi, rights]),
    [
      [1, 0x1fff],
      [2, 0x3fff],
      [3, 0x7fff],
      [5, 0xffff],
    ],
  );
  assert.equal(RIGHTS_OF_FILES, bits('EXECUTE', 'WRITE_FILE', 'READ_FILE', 'TRUNCATE', 'IOCTL_DEV'));
});

test('the table of docs/paths.md is the table of the code', () => {
  const rows = [...readFileSync('docs/paths.md', 'utf8').matchAll(/^\| `([A-Z_]+)` \| (\d) \| (\S+) \| (\S+) \|/gm)];
  assert.deepEqual(
    rows.map(([, name, abi, list, what]) => [name, Number(abi), list, what]),
    FILE_RIGHTS.map(({ name, abi, lists, onFiles }) => [
      name,
      abi,
      lists.join(',') || '-',
      onFiles ? 'both' : 'folders',
    ]),
  );
});

test('a path has the rights of all lists that name it, and is optional where all say so', () => {
  const { abi, rules } = resolvePaths(
    pathsOf('{read: [/a: optional, /b: optional], execute: [/b], write: [/a: optional]}'),
  );
  assert.equal(abi, 3);
  const [a, b] = rules;
  assert.deepEqual([a?.path, a?.isOptional, b?.path, b?.isOptional], ['/a', true, '/b', false]);
  assert.equal(b?.rights, bits('READ_FILE', 'READ_DIR', 'EXECUTE'));
  const none = bits('MAKE_CHAR', 'MAKE_BLOCK', 'EXECUTE');
  assert.equal(a?.rights, 0xffff & ~none);
  assert.equal(resolvePaths(pathsOf('{abi: 1, read: [/]}')).abi, 1);
});

test('paths print one a line with their comments, and are read back', () => {
  const text = `${HEAD}paths: # of the app\n  abi: 5\n  read:\n    # libraries\n    - /usr\n    - "/a b": optional # on some machines\n`;
  assert.equal(printPolicy(parsePolicy(text)), text);
});

test('paths can be built, and are checked then too', () => {
  const built = policy({ default: 'errno(EPERM)' })
    .path('read', '/usr')
    .path('read', '/lib64', { optional: true })
    .build();
  assert.equal(printPolicy(built), `${HEAD}paths:\n  read:\n    - /usr\n    - /lib64: optional\n`);
  assert.throws(() => policy({ default: 'allow' }).path('write', 'tmp'), /"tmp" is not accepted: wanted a path from/);
});

test('a merge keeps the paths of one policy, and joins those of two', () => {
  const bare = parsePolicy(HEAD);
  const [one, other] = ['{read: [/a, /b]}', '{read: [/b: optional, /c], write: [/d]}'].map((text) =>
    parsePolicy(`${HEAD}paths: ${text}\n`),
  ) as [typeof bare, typeof bare];
  assert.deepEqual(mergePolicies(one, bare).paths, one.paths);
  assert.deepEqual(mergePolicies(bare, one).paths, one.paths);
  const joined = printPolicy(mergePolicies(one, other)).slice(HEAD.length);
  assert.equal(joined, 'paths:\n  read:\n    - /a\n    - /b: optional\n    - /c\n  write:\n    - /d\n');
});

test('differences are said path by path', () => {
  const names = { left: 'A', right: 'B' };
  const rulesOf = (text: string | undefined): PathRules | undefined =>
    text === undefined ? undefined : resolvePaths(pathsOf(text));
  const differ = (left: string | undefined, right: string | undefined): readonly string[] =>
    pathDifferences(rulesOf(left), rulesOf(right), names);
  assert.deepEqual(differ(undefined, undefined), []);
  assert.deepEqual(differ('{read: [/b, /a]}', '{abi: 3, read: [/a, /b]}'), []);
  assert.deepEqual(differ('{read: [/a]}', undefined), ['paths: only A has them; B permits all files']);
  assert.deepEqual(differ('{read: [/a], write: [/c: optional]}', '{abi: 5, read: [/b], write: [/c]}'), [
    'paths: abi is 3 in A, 5 in B',
    'paths: read /a: only in A',
    'paths: read /b: only in B',
    'paths: /c: optional in A alone',
  ]);
});
