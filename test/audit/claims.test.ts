import assert from 'node:assert/strict';
import test from 'node:test';
import { encodeProgram } from '../../src/bpf/codec.ts';
import type { Program } from '../../src/bpf/instruction.ts';
import { type Probe, type ProbeStep, proberElf } from '../../src/elf/stubs/prober-x86-64.ts';
import { syscallNumber } from '../../src/facts/syscalls.ts';
import * as abi from '../../src/kernel/abi.ts';
import { askProbes } from '../../src/kernel/prober.ts';
import { TrialFiles } from '../../src/kernel/trial-files.ts';
import { jeq, load, ret } from '../support/rows.ts';

// What lint says of filters, shown by the kernel.

const ALLOW = 0x7fff_0000;
const EPERM = 0x0005_0001;
const [NR, ARG1] = [0, 24];
const number = (name: string): number => syscallNumber('x86_64', name) as number;

/** Results of calls under a filter, in a process of their own. */
function under(program: Program, calls: readonly ProbeStep[]): readonly number[] {
  const files = TrialFiles.open(proberElf([]));
  assert.ok(files);
  const install: readonly ProbeStep[] = [
    { nr: number('prctl'), args: [abi.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0] },
    { nr: number('seccomp'), args: [abi.SECCOMP_SET_MODE_FILTER, 0, { filter: encodeProgram(program) }] },
  ];
  try {
    const probes: Readonly<Record<'it', Probe>> = { it: { steps: [...install, ...calls] } };
    const { results } = askProbes(files, probes).of('it');
    assert.deepEqual(results.slice(0, 2), [0, 0]);
    return results.slice(2);
  } finally {
    files.remove();
  }
}

const [NO_PERMISSION, BAD_DESCRIPTOR] = [-1, -9];

test('effective-width: a bit in the high half lets TIOCSTI through a comparison of 64 bits', () => {
  const TIOCSTI = 0x5412;
  const byBoth = [
    load(NR),
    jeq(number('ioctl'), 0, 5),
    load(ARG1),
    jeq(TIOCSTI, 0, 3),
    load(ARG1 + 4),
    jeq(0, 0, 1),
    ret(EPERM),
    ret(ALLOW),
  ];
  const ioctl = (request: bigint): ProbeStep => ({ nr: number('ioctl'), args: [-1n, request, 0n] });
  const answers = under(byBoth, [ioctl(BigInt(TIOCSTI)), ioctl((1n << 32n) | BigInt(TIOCSTI))]);
  assert.deepEqual(answers, [NO_PERMISSION, BAD_DESCRIPTOR]);
});

test('sibling-open: pwritev does what write does', () => {
  const program = [load(NR), jeq(number('write'), 0, 1), ret(EPERM), ret(ALLOW)];
  const answers = under(program, [
    { nr: number('write'), args: [-1n, 0n, 0n] },
    { nr: number('pwritev'), args: [-1n, 0n, 0n] },
  ]);
  assert.deepEqual(answers, [NO_PERMISSION, BAD_DESCRIPTOR]);
});

test('errno-range: the kernel makes 4095 of more; errno-zero: a call that is not made returns 0', () => {
  const program = [
    load(NR),
    jeq(number('getuid'), 0, 1),
    ret(0x0005_ffff),
    jeq(number('close'), 0, 1),
    ret(0x0005_0000),
    ret(ALLOW),
  ];
  assert.deepEqual(under(program, [{ nr: number('getuid') }, { nr: number('close'), args: [-1n] }]), [-4095, 0]);
});

test('no-listener, no-tracer: ENOSYS', () => {
  const program = [
    load(NR),
    jeq(number('getuid'), 0, 1),
    ret(0x7fc0_0000),
    jeq(number('getgid'), 0, 1),
    ret(0x7ff0_0000),
    ret(ALLOW),
  ];
  assert.deepEqual(under(program, [{ nr: number('getuid') }, { nr: number('getgid') }]), [-38, -38]);
});

test('kill-thread, unknown-action: the process is gone before the next call', () => {
  for (const action of [0, 0x0004_0000]) {
    const program = [load(NR), jeq(number('getuid'), 0, 1), ret(action), ret(ALLOW)];
    assert.deepEqual(under(program, [{ nr: number('getuid') }, { nr: number('getgid') }]), []);
  }
});

test('open-abi: getpid of i386 has the number of writev', () => {
  const program = [load(NR), jeq(number('getpid'), 0, 1), ret(EPERM), ret(ALLOW)];
  const [plain, foreign] = under(program, [
    { nr: number('getpid') },
    { nr: syscallNumber('i386', 'getpid') as number, entry: 'int80' },
  ]);
  assert.equal(plain, NO_PERMISSION);
  // ENOSYS where the kernel was built without 32-bit calls.
  assert.ok((foreign as number) > 0 || foreign === -38, String(foreign));
});
