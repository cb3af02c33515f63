import assert from 'node:assert/strict';
import { test } from 'node:test';
import { policy } from '../../src/policy/builder.ts';
import { mergePolicies } from '../../src/policy/merge.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { printPolicy } from '../../src/policy/print.ts';

function text(rules: string, head = ''): string {
  return `selkie: 1\nsets: 1\n${head}default: errno(EPERM)\nbad_arch: kill_process\nsyscalls:\n  allow:\n${rules}`;
}

test('mergePolicies() puts new rules where the alphabet has them and keeps comments', () => {
  const left = parsePolicy(text('    - close\n    # why\n    - read # mine\n    - "@go"\n', '# reviewed\n'));
  const right = parsePolicy(text('    - access\n    - openat\n    - read\n    - write\n'));
  const merged = '    - access\n    - close\n    - openat\n    # why\n    - read # mine\n    - write\n    - "@go"\n';
  assert.equal(printPolicy(mergePolicies(left, right)), printPolicy(parsePolicy(text(merged, '# reviewed\n'))));
});

test('mergePolicies() gives the same rules in both orders, and nothing new for itself', () => {
  const left = parsePolicy(text('    - read\n    - socket: domain == AF_UNIX\n'));
  const right = parsePolicy(text('    - close\n    - socket: domain == AF_INET\n'));
  assert.equal(
    printPolicy(mergePolicies(left, right)).split('\n').sort().join(),
    printPolicy(mergePolicies(right, left)).split('\n').sort().join(),
  );
  assert.equal(printPolicy(mergePolicies(left, left)), printPolicy(left));
});

test('mergePolicies() refuses one call with two actions, with both lines', () => {
  const left = parsePolicy(text('    - read\n'), { file: 'a.yaml' });
  const right = parsePolicy(text('    - read\n').replace('allow', 'log'), { file: 'b.yaml' });
  assert.throws(
    () => mergePolicies(left, right),
    /^PolicyError: b.yaml:7:7: "read" gets log here, but allow by a.yaml:7/,
  );
});

test('mergePolicies() keeps rules of one ABI apart from those of others', () => {
  const head = (rules: string): string => text('    - read\n', 'arches: [x86_64, i386]\n') + rules;
  const left = parsePolicy(head('only:\n  i386:\n    allow:\n      - socketcall: call == 1 # why\n'));
  const right = parsePolicy(
    head(
      'only:\n  x86_64:\n    allow:\n      - clone3\n  i386:\n    allow:\n      - access\n      - socketcall: call == 1\n',
    ),
  );
  const merged =
    'only:\n  i386:\n    allow:\n      - access\n      - socketcall: call == 1 # why\n  x86_64:\n    allow:\n      - clone3\n';
  assert.equal(printPolicy(mergePolicies(left, right)), printPolicy(parsePolicy(head(merged))));
});

test('mergePolicies() refuses two actions for one call of one ABI, not of two', () => {
  const rule = (arch: string, action: string) =>
    parsePolicy(`${text('    - read\n', 'arches: [x86_64, i386]\n')}only: {${arch}: {${action}: [write]}}\n`);
  assert.throws(() => mergePolicies(rule('i386', 'allow'), rule('i386', 'log')), { code: 'conflict' });
  const merged = mergePolicies(rule('i386', 'allow'), rule('x86_64', 'log'));
  assert.deepEqual(
    merged.syscalls.map(({ only }) => only),
    [undefined, 'i386', 'x86_64'],
  );
});

test('mergePolicies() refuses different defaults, and takes the older kernel', () => {
  const base = policy({ default: 'log', kernel: '6.18', unknown: 'errno(ENOSYS)' }).build();
  assert.throws(() => mergePolicies(base, { ...base, default: { kind: 'allow' } }), { code: 'merge_differs' });
  assert.equal(mergePolicies(base, { ...base, kernel: '6.9' }).kernel, '6.9');
});

test('policy() builds what the text says', () => {
  const built = policy({ default: 'errno(EPERM)', name: 'web', arches: ['x86_64'] })
    .allow('read')
    .allow('socket', 'domain == AF_UNIX')
    .errno('ENOSYS', 'clone3')
    .only('x86_64', 'allow', 'openat', 'dirfd == AT_FDCWD')
    .start('allow', 'execve')
    .build();
  const written = parsePolicy(`selkie: 1
name: web
arches: [x86_64]
default: errno(EPERM)
syscalls:
  allow:
    - read
    - socket: domain == AF_UNIX
  errno(ENOSYS): [clone3]
only:
  x86_64:
    allow:
      - openat: dirfd == AT_FDCWD
start:
  allow: [execve]
`);
  assert.equal(printPolicy(built), printPolicy(written));
});

test('policy() refuses what parsePolicy() refuses', () => {
  assert.throws(() => policy({ default: 'deny' }), { code: 'unknown_action' });
  assert.throws(() => policy({ default: 'log' }).allow('read', 'fd = 1'), { code: 'bad_condition' });
  assert.throws(() => policy({ default: 'log' }).allow('Read'), { code: 'bad_value' });
  assert.throws(() => policy({ default: 'log', kernel: '6.1' }), TypeError);
});
