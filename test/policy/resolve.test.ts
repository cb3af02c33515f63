import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ArchName } from '../../src/facts/arches.ts';
import { policy } from '../../src/policy/builder.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';
import type { ResolvedCondition, ResolvedPolicy } from '../../src/policy/resolved.ts';

function resolve(rules: string, arches: readonly ArchName[] = ['x86_64']): ResolvedPolicy {
  return resolvePolicy(parsePolicy(`selkie: 1\ndefault: errno(EPERM)\nsyscalls:\n${rules}`), { arches });
}

function conditionOf(call: string, condition: string, arch: ArchName = 'x86_64'): ResolvedCondition | undefined {
  const resolved = resolve(`  allow:\n    - ${call}: ${condition}\n`, [arch]);
  return [...(resolved.arches[0]?.calls.values() ?? [])][0]?.[0]?.condition;
}

const ALL32 = 0xffff_ffffn;
const ALL64 = 0xffff_ffff_ffff_ffffn;

const TESTS = [
  {
    claim: 'an int has 32 bits',
    call: 'socket',
    text: 'domain == AF_UNIX',
    argument: 0,
    width: 32,
    mask: ALL32,
    value: 1n,
  },
  { claim: 'a size has 64 bits', call: 'read', text: 'count == 1', argument: 2, width: 64, mask: ALL64, value: 1n },
  {
    claim: 'a size of i386 has 32',
    arch: 'i386',
    call: 'read',
    text: 'count == 1',
    argument: 2,
    width: 32,
    mask: ALL32,
    value: 1n,
  },
  {
    claim: "the kernel's names are aliases",
    call: 'socket',
    text: 'family == 2',
    argument: 0,
    width: 32,
    mask: ALL32,
    value: 2n,
  },
  { claim: '-1 takes 32 bits', call: 'read', text: 'fd == -1', argument: 0, width: 32, mask: ALL32, value: ALL32 },
  { claim: '-1 takes 64 bits', call: 'read', text: 'count == -1', argument: 2, width: 64, mask: ALL64, value: ALL64 },
  {
    claim: 'AT_FDCWD is negative',
    call: 'openat',
    text: 'dirfd == AT_FDCWD',
    argument: 0,
    width: 32,
    mask: ALL32,
    value: ALL32 - 99n,
  },
  { claim: 'u64() widens', call: 'socket', text: 'u64(domain) == 1', argument: 0, width: 64, mask: ALL64, value: 1n },
  { claim: 'u32() narrows', call: 'read', text: 'u32(count) == 1', argument: 2, width: 32, mask: ALL32, value: 1n },
  {
    claim: '~ complements in the width',
    call: 'socket',
    text: '(type & ~0xf) == 0',
    argument: 1,
    width: 32,
    mask: ALL32 - 15n,
    value: 0n,
  },
  { claim: 'ip has 64 bits', call: 'read', text: 'ip == 1', argument: 'ip', width: 64, mask: ALL64, value: 1n },
  { claim: 'u32(ip) is a mask', call: 'read', text: 'u32(ip) == 1', argument: 'ip', width: 64, mask: ALL32, value: 1n },
  {
    claim: 'within tests the bits outside',
    call: 'socket',
    text: 'type within [0x3, 0x4]',
    argument: 1,
    width: 32,
    mask: ALL32 - 7n,
    value: 0n,
  },
  {
    claim: 'a pointer may be tested against 0',
    call: 'read',
    text: 'buf == 0',
    argument: 1,
    width: 64,
    mask: ALL64,
    value: 0n,
  },
  {
    claim: 'constants join by |',
    call: 'socket',
    text: 'type == SOCK_STREAM|0x80000',
    argument: 1,
    width: 32,
    mask: ALL32,
    value: 0x80001n,
  },
  {
    claim: 'raw() takes the register of an int whole',
    call: 'socket',
    text: 'raw(arg0) == -1',
    argument: 0,
    width: 64,
    mask: ALL64,
    value: ALL64,
  },
  {
    claim: 'raw() takes pointers',
    call: 'read',
    text: 'raw(arg1) == 5',
    argument: 1,
    width: 64,
    mask: ALL64,
    value: 5n,
  },
  {
    claim: 'raw() takes arguments that the call has not',
    call: 'read',
    text: 'raw(arg5) == 5',
    argument: 5,
    width: 64,
    mask: ALL64,
    value: 5n,
  },
  {
    claim: 'raw() has the low 32 bits on x32',
    arch: 'x32',
    call: 'read',
    text: '(raw(arg2) & 0xf0000000f) == 0x100000001',
    argument: 2,
    width: 32,
    mask: 0xfn,
    value: 1n,
  },
] as const;

for (const { claim, call, text, ...expected } of TESTS) {
  test(`resolvePolicy(): ${claim}`, () => {
    const { arch, ...parts } = { arch: 'x86_64' as ArchName, ...expected };
    assert.deepEqual(conditionOf(call, text, arch), { kind: 'test', operator: '==', ...parts });
  });
}

test('in becomes equalities', () => {
  const condition = conditionOf('fcntl', 'cmd in [F_GETFL, F_SETFL]');
  assert.ok(condition?.kind === 'or' && condition.operands.length === 2);
});

test('rules of a number stand by precedence: conditions first, then names before sets', () => {
  const rules = '  log:\n    - "@stdio"\n  allow:\n    - read\n  errno(5):\n    - read: fd == 3\n';
  const resolved = resolve(rules);
  const read = resolved.arches[0]?.calls.get(0);
  assert.deepEqual(
    read?.map(({ action }) => action),
    [0x0005_0005, 0x7fff_0000, 0x7ffc_0000],
  );
});

test('conditions that exclude each other may have different actions', () => {
  resolve('  allow:\n    - read: fd < 4\n  log:\n    - read: fd >= 4\n');
});

test('a name that one of several ABIs lacks is skipped there with a note', () => {
  const resolved = resolve('  allow: [open]\n', ['x86_64', 'aarch64']);
  assert.deepEqual(resolved.notes, ['skipped on aarch64, which lacks them: open']);
  assert.equal(resolved.arches[1]?.calls.size, 0);
});

test('numbers of x32 have their bit, and syscall(n) belongs to the ABI that can make it', () => {
  const resolved = resolve('  allow: [read, syscall(1), syscall(0x40000001)]\n', ['x86_64', 'x32']);
  assert.deepEqual([...(resolved.arches[0]?.calls.keys() ?? [])], [0, 1]);
  assert.deepEqual([...(resolved.arches[1]?.calls.keys() ?? [])], [0x4000_0000, 0x4000_0001]);
});

test('start: is taken in only when asked for', () => {
  const policy = parsePolicy('selkie: 1\narches: [x86_64]\ndefault: log\nsyscalls: {}\nstart:\n  allow: [execve]\n');
  assert.equal(resolvePolicy(policy).arches[0]?.calls.size, 0);
  assert.equal(resolvePolicy(policy, { includeStart: true }).arches[0]?.calls.size, 1);
});

test('a policy without ABIs needs one from what it is applied to', () => {
  const policy = parsePolicy('selkie: 1\ndefault: log\nsyscalls: {}\n');
  assert.throws(() => resolvePolicy(policy), { name: 'PolicyError', code: 'no_arches' });
});

const ONLY = `  allow:
    - read
    - write: fd == 1
only:
  i386:
    allow:
      - socketcall: call == 1
    errno(5):
      - read: fd == 3
  x86_64:
    errno(ENOSYS):
      - clone3
`;

test('only: rules are in force for their ABI alone, and by the same precedence', () => {
  const [x86, i386] = resolve(ONLY, ['x86_64', 'i386']).arches.map(
    ({ calls }) => new Map([...calls].map(([nr, rules]) => [nr, rules.map(({ action }) => action)])),
  );
  const [allow, enosys, eio] = [0x7fff_0000, 0x0005_0026, 0x0005_0005];
  const ofX86 = [
    [0, [allow]],
    [1, [allow]],
    [435, [enosys]],
  ] as const;
  const ofI386 = [
    [3, [eio, allow]],
    [4, [allow]],
    [102, [allow]],
  ] as const;
  assert.deepEqual([...(x86 ?? [])], ofX86);
  assert.deepEqual([...(i386 ?? [])], ofI386);
});

test('only: a policy without ABIs may have rules for what it is not applied to', () => {
  const resolved = resolve(ONLY, ['x86_64']);
  assert.deepEqual([...(resolved.arches[0]?.calls.keys() ?? [])], [0, 1, 435]);
  assert.deepEqual(resolved.notes, []);
});

test('only: built for an ABI that is not listed, it is refused too', () => {
  const built = policy({ default: 'log', arches: ['x86_64'] })
    .only('i386', 'allow', 'read')
    .build();
  assert.throws(() => resolvePolicy(built), { name: 'PolicyError', code: 'only_arch' });
});
