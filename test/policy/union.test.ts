import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Policy } from '../../src/policy/model.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { printPolicy } from '../../src/policy/print.ts';
import { PolicyUnion } from '../../src/policy/union.ts';

/** As files are merged: through text. */
function union(texts: readonly string[]): string {
  const all = new PolicyUnion();
  for (const text of texts) all.add(parsePolicy(text));
  return printPolicy(all.policy());
}

const comment = fc.constantFrom('', ' # why', ' # because; of this', ' # seen');
const rule = (names: readonly string[]) =>
  fc
    .tuple(fc.constantFrom('', '    # above\n', '    # two\n    # lines\n'), fc.constantFrom(...names), comment)
    .map((parts) => parts);
const rules = (names: readonly string[]) =>
  fc
    .uniqueArray(rule(names), { selector: ([, name]) => name.replace(': optional', ''), maxLength: 5 })
    .map((list) => list.map(([above, name, behind]) => `${above}    - ${name}${behind}\n`).join(''));
const section = (action: string, text: string): string => (text === '' ? '' : `  ${action}:\n${text}`);
const policies: fc.Arbitrary<string> = fc
  .record({
    top: fc.constantFrom('', '# reviewed\n', '# b\n# a\n'),
    name: fc.constantFrom('', 'name: web\n', 'name: app\n'),
    kernel: fc.constantFrom('6.1', '6.9', '6.18'),
    arches: fc.constantFrom('x86_64', 'i386, x86_64', 'aarch64'),
    key: comment,
    allow: rules(['read', 'write', '"@go"', 'socket: domain == AF_UNIX', 'socket: domain == AF_INET', 'syscall(4000)']),
    deny: rules(['mkdir', 'clone3']),
    start: rules(['execve', 'brk']),
    service: rules(['read', 'write']),
    read: rules(['/usr', '/etc', '/lib64: optional', '/lib64']),
    write: rules(['/tmp']),
  })
  .map(({ top, name, kernel, arches, key, allow, deny, start, service, read, write }) => {
    const body = section('allow', allow) + section('errno(ENOSYS)', deny);
    const head = `${top}selkie: 1\nsets: 1\n${name}arches: [${arches}]\ndefault: errno(EPERM)${key}\nkernel: "${kernel}"\nunknown: errno(ENOSYS)\n`;
    const syscalls = body === '' ? 'syscalls: {}\n' : `syscalls:\n${body}`;
    const [begin, later] = [
      ['start', start],
      ['service', service],
    ].map(([key, text = '']) => (text === '' ? '' : `${key}:\n${section('allow', text)}`));
    const paths = `paths:\n${section('read', read)}${section('write', write)}  execute: [/bin/true]\n`;
    return `${head}bad_arch: kill_process\n${syscalls}${begin}${later}${paths}`;
  });

test('a union is the same bytes in any order', () =>
  fc.assert(
    fc.property(
      fc
        .array(policies, { minLength: 1, maxLength: 6 })
        .chain((list) => fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length }))),
      ([list, shuffled]) => assert.equal(union(shuffled), union(list)),
    ),
  ));

test('a union is the same bytes in any grouping, and with any of its parts twice', () =>
  fc.assert(
    fc.property(policies, policies, policies, (a, b, c) => {
      const all = union([a, b, c]);
      assert.equal(union([union([a, b]), c]), all);
      assert.equal(union([a, union([b, c])]), all);
      assert.equal(union([all, b]), all);
      assert.equal(union([all]), all);
    }),
  ));

test('a union refuses one call with two actions with both lines, and different defaults', () => {
  const text = 'selkie: 1\nsets: 1\ndefault: errno(EPERM)\nbad_arch: kill_process\nsyscalls:\n  allow:\n    - read\n';
  const all = new PolicyUnion();
  all.add(parsePolicy(text, { file: 'a.yaml' }));
  assert.throws(
    () => all.add(parsePolicy(text.replace('allow', 'log'), { file: 'b.yaml' })),
    /^PolicyError: b.yaml:7:7: "read" gets log here, but allow by a.yaml:7/,
  );
  const other: Policy = { ...parsePolicy(text), default: { kind: 'allow' } };
  assert.throws(() => all.add(other), { code: 'merge_differs' });
});

test('policies of which only one has paths, or of different ABIs of Landlock, have no union', () => {
  const head = 'selkie: 1\ndefault: errno(EPERM)\nsyscalls: {}\n';
  const [bare, three, five] = ['', 'paths: {read: [/a]}\n', 'paths: {abi: 5, read: [/a]}\n'].map((end) => head + end);
  for (const pair of [
    [bare, three],
    [three, bare],
  ])
    assert.throws(() => union(pair as string[]), /only one of the policies has "paths"/);
  assert.throws(() => union([three, five] as string[]), /"paths.abi" is 3 in one policy and 5 in the other/);
});
