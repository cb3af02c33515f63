import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CHOICES, VDSO_CALLS } from '../../src/facts/siblings.ts';
import { allSyscallNames, syscallNumber } from '../../src/facts/syscalls.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { completenessOf } from '../../src/record/completeness.ts';
import { Coverage } from '../../src/record/coverage.ts';
import type { Evidence } from '../../src/record/evidence.ts';

const line = (syscall: string, over: Partial<Evidence> = {}): Evidence => ({
  exe: '/bin/x',
  arch: 'x86_64',
  syscall,
  nr: syscallNumber('x86_64', syscall) as number,
  phase: 'program',
  condition: null,
  runs: 5,
  count: 5,
  site: { address: 1n },
  ...over,
});

const POLICY = parsePolicy(`selkie: 1
sets: 1
arches: [x86_64]
default: errno(EPERM)
kernel: "6.18"
unknown: errno(ENOSYS)
syscalls:
  allow:
    - read
    - openat
    - poll
    - "@glibc"
    - socket: domain == AF_UNIX
  errno(ENOSYS): ["@fallback"]
start:
  allow: [execve]
`);

const fate = (name: string, phase: Evidence['phase'] = 'program') =>
  new Coverage(POLICY).fate('x86_64', syscallNumber('x86_64', name) as number, phase);

test('Coverage says what becomes of a call whatever its arguments: one that is permitted for some of them is not covered', () => {
  assert.equal(fate('read'), 'permitted');
  assert.equal(fate('openat2'), 'enosys');
  assert.equal(fate('ptrace'), 'refused');
  assert.equal(fate('socket'), 'refused');
});

test('Coverage of arguments that are known: conditions on them are decided, on others not', () => {
  const policy = parsePolicy(`selkie: 1
sets: 1
default: errno(EPERM)
syscalls:
  allow:
    - socket: domain == AF_UNIX && not type == SOCK_RAW
    - mmap: prot within [PROT_READ, PROT_WRITE] && length < 4096
    - fchmod: (mode & S_ISUID) == 0
    - ioctl: request in [TCGETS]
`);
  const isOutside = (syscall: string, condition: Evidence['condition']) =>
    new Coverage(policy).outside([line(syscall, { condition })]).length > 0;
  assert.equal(isOutside('socket', { domain: 1n, type: 1n, protocol: 0n }), false);
  assert.equal(isOutside('socket', { domain: 1n, type: 3n, protocol: 0n }), true);
  assert.equal(isOutside('socket', { domain: 2n, type: 1n, protocol: 0n }), true);
  assert.equal(isOutside('socket', { domain: 1n }), true);
  assert.equal(isOutside('socket', null), true);
  assert.equal(isOutside('mmap', { prot: 1n, flags: 2n }), true);
  assert.equal(isOutside('fchmod', { mode: 0n }), false);
  assert.equal(isOutside('fchmod', { mode: 0x800n }), true);
  assert.equal(isOutside('ioctl', { request: 0x5401n }), false);
});

test('what one run alone showed counts where the other runs would not permit it', () => {
  const once = (...lines: readonly Evidence[]) => completenessOf(POLICY, lines, { runs: 5, quiet: [4] }).once;
  const prctl = (option: bigint, runs: number) => line('prctl', { condition: { option }, runs });
  assert.deepEqual(once(prctl(15n, 5), prctl(16n, 1)), ['prctl(PR_GET_NAME)']);
  const accept4 = (flags: bigint, runs: number) => line('accept4', { condition: { flags }, runs });
  assert.deepEqual(once(accept4(0x80000n, 3), accept4(0n, 1)), []);
  assert.deepEqual(once(accept4(0n, 3), accept4(0x80000n, 1)), ['accept4(SOCK_CLOEXEC)']);
  assert.deepEqual(once(accept4(0n, 3), accept4(0x80000n, 1), line('accept4')), []);
});

test('what start alone permits is outside for the program; another ABI is outside', () => {
  const coverage = new Coverage(POLICY);
  assert.equal(fate('execve'), 'refused');
  assert.equal(fate('execve', 'start'), 'permitted');
  const lines = [
    line('read'),
    line('execve', { phase: 'start' }),
    line('execve'),
    line('read', { arch: 'i386', nr: 3 }),
  ];
  assert.deepEqual(coverage.outside(lines), lines.slice(2));
});

test('completenessOf(): calls of one run are counted where no set permits them, by the executable that showed them most', () => {
  const evidence = [
    line('read', { runs: 1 }),
    line('poll', { runs: 1 }),
    line('openat', { runs: 1 }),
    line('openat', { runs: 2, exe: '/bin/y' }),
  ];
  const found = completenessOf(POLICY, evidence, { runs: 5, quiet: [1, 2] });
  // read is in @glibc.
  assert.deepEqual(found.once, ['poll']);
  assert.equal(found.estimate, 1 / 5);
  assert.equal(found.newRuns, 2);
  assert.ok(found.bound > 0.5 && found.bound < 1);
  assert.equal(completenessOf(POLICY, evidence, { runs: 1, quiet: [0] }).estimate, 1);
});

test('completenessOf(): siblings of what the program called, and what the vDSO hides, with what the policy does to them', () => {
  const { siblings, vdso } = completenessOf(POLICY, [line('openat'), line('poll')], { runs: 1, quiet: [0] });
  const fates = new Map(siblings.map(({ call, fate: what }) => [call, what]));
  assert.equal(fates.get('openat2'), 'enosys');
  assert.equal(fates.get('open'), 'refused');
  assert.equal(fates.get('ppoll'), 'refused');
  assert.equal(fates.has('openat'), false);
  assert.equal(fates.has('dup3'), false);
  assert.equal(vdso.find(({ call }) => call === 'clock_gettime')?.fate, 'permitted');
  assert.equal(vdso.find(({ call }) => call === 'time')?.fate, 'refused');
});

test('the table of choices names calls that exist, each once in its family, none of them alone', () => {
  const known = new Set(allSyscallNames());
  for (const { effect, calls } of CHOICES) {
    assert.ok(calls.length > 1 && new Set(calls).size === calls.length, effect);
    for (const name of calls) assert.ok(known.has(name), `${effect}: ${name}`);
  }
  for (const name of VDSO_CALLS) assert.ok(known.has(name), name);
});
