import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { ARCH_NAMES, type ArchName } from '../../src/facts/arches.ts';
import { parameters } from '../../src/facts/prototypes.ts';
import {
  allSyscallNames,
  compareReleases,
  LATEST_RELEASE,
  largestNumber,
  syscallName,
  syscallNames,
  syscallNumber,
  syscallRelease,
} from '../../src/facts/syscalls.ts';

test('numbers are those of the kernel tables', () => {
  const vectors: [ArchName, string, number | undefined][] = [
    ['x86_64', 'read', 0],
    ['x86_64', 'exit_group', 231],
    ['x86_64', 'uretprobe', 335],
    ['x86_64', 'uprobe', 336],
    ['x86_64', 'clone3', 435],
    ['x86_64', 'file_setattr', 469],
    ['x86_64', 'rseq_slice_yield', 471],
    ['x86_64', 'socketcall', undefined],
    ['i386', 'socketcall', 102],
    ['i386', 'socket', 359],
    ['i386', 'uretprobe', undefined],
    ['i386', 'restart_syscall', 0],
    ['x32', 'rt_sigaction', 0x4000_0200],
    ['x32', 'read', 0x4000_0000],
    ['aarch64', 'openat', 56],
    ['aarch64', 'open', undefined],
    ['aarch64', 'mseal', 462],
    ['x86_64', 'toString', undefined],
  ];
  for (const [arch, name, number] of vectors) assert.equal(syscallNumber(arch, name), number, `${arch} ${name}`);
});

test('names and numbers are each the other, for every call of every arch', () => {
  for (const arch of ARCH_NAMES) {
    for (const name of syscallNames(arch)) assert.equal(syscallName(arch, syscallNumber(arch, name) as number), name);
    assert.deepEqual([...syscallNames(arch)].sort(), syscallNames(arch));
  }
  assert.equal(syscallName('x32', 0), undefined);
  assert.equal(allSyscallNames().length, new Set(ARCH_NAMES.flatMap((arch) => syscallNames(arch))).size);
});

test('releases are compared by number, and malformed ones refused', () => {
  assert.ok(compareReleases('5.9', '5.10') < 0);
  assert.ok(compareReleases('6.0', '5.19') > 0);
  assert.equal(compareReleases('6.1', '6.1.0'), 0);
  for (const bad of ['', '6', 'v6.1', '6.1-rc1', '6.1.2.3', '-1.0']) {
    assert.throws(() => compareReleases(bad, '6.1'), RangeError);
    assert.throws(() => largestNumber('x86_64', bad), RangeError);
  }
});

test('every call has a release, none before its arch', () => {
  for (const arch of ARCH_NAMES) {
    for (const name of syscallNames(arch)) assert.ok(syscallRelease(arch, name), `${arch} ${name}`);
  }
  assert.equal(syscallRelease('x86_64', 'close_range'), '5.9');
  assert.equal(syscallRelease('aarch64', 'read'), '3.7');
  assert.equal(syscallRelease('x32', 'read'), '3.4');
  assert.equal(syscallRelease('i386', 'socket'), '4.3');
  assert.equal(syscallRelease('aarch64', 'open'), undefined);
});

test('the largest number of a release is that of its tables', () => {
  const vectors: [ArchName, string, number][] = [
    ['x86_64', '3.17', 320],
    ['x86_64', '4.14', 332],
    ['x86_64', '4.20', 334],
    ['x86_64', '5.1', 427],
    ['x86_64', '5.4', 435],
    ['x86_64', '5.10', 440],
    ['x86_64', '5.15', 448],
    ['x86_64', '6.1', 450],
    ['x86_64', '6.8', 461],
    ['x86_64', '6.12', 462],
    ['x86_64', LATEST_RELEASE, 469],
    ['i386', '4.14', 384],
    ['i386', '5.0', 386],
    ['i386', '5.1', 427],
    ['i386', LATEST_RELEASE, 469],
    ['x32', '6.1', 0x4000_0223],
    ['x32', '4.14', 0x4000_0223],
    ['aarch64', '4.14', 291],
    ['aarch64', '4.20', 293],
    ['aarch64', '5.0', 294],
    ['aarch64', LATEST_RELEASE, 469],
    ['aarch64', '3.6', -1],
  ];
  for (const [arch, release, number] of vectors)
    assert.equal(largestNumber(arch, release), number, `${arch} ${release}`);
});

const tracing = '/sys/kernel/tracing/events/syscalls';

test('the running kernel traces as many arguments as we know', {
  skip: !existsSync(tracing) && 'no tracefs here',
}, () => {
  // Functions whose call has another name, or another call's name.
  const renamed: Record<string, string> = {
    newstat: 'stat',
    newlstat: 'lstat',
    newfstat: 'fstat',
    newuname: 'uname',
    sendfile64: 'sendfile',
    umount: 'umount2',
  };
  let compared = 0;
  for (const event of readdirSync(tracing)) {
    if (!event.startsWith('sys_enter_')) continue;
    const own = event.slice('sys_enter_'.length);
    const list = parameters('x86_64', renamed[own] ?? own);
    if (list === undefined || ['stat', 'lstat', 'fstat', 'uname'].includes(own)) continue;
    const text = readFileSync(`${tracing}/${event}/format`, 'utf8');
    const fields = [...text.matchAll(/field:([^;]*);\toffset:(\d+)/g)].filter((match) => Number(match[2]) >= 16);
    assert.equal(list.length, fields.filter((match) => !match[1]?.startsWith('__data_loc')).length, own);
    compared++;
  }
  assert.ok(compared > 300, `only ${compared} compared`);
});
