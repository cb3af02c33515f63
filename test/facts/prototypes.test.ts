import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ARCH_NAMES, type ArchName } from '../../src/facts/arches.ts';
import { constantNames } from '../../src/facts/constants.ts';
import { type Parameter, parameters } from '../../src/facts/prototypes.ts';
import { syscallNames, syscallNumber } from '../../src/facts/syscalls.ts';

const list = (arch: ArchName, name: string): readonly Parameter[] => {
  const found = parameters(arch, name);
  assert.ok(found, `${arch} ${name}`);
  return found;
};
const names = (arch: ArchName, name: string): string[] => list(arch, name).map((parameter) => parameter.name);
const widths = (arch: ArchName, name: string): number[] => list(arch, name).map((parameter) => parameter.width);

test('parameters have the names of the man pages, the kernel names as aliases', () => {
  assert.deepEqual(names('x86_64', 'openat'), ['dirfd', 'pathname', 'flags', 'mode']);
  assert.deepEqual(list('x86_64', 'openat')[0]?.aliases, ['dfd']);
  assert.deepEqual(names('x86_64', 'socket'), ['domain', 'type', 'protocol']);
  assert.deepEqual(list('x86_64', 'socket')[0]?.aliases, ['family']);
  assert.deepEqual(names('x86_64', 'ioctl'), ['fd', 'request', 'argp']);
  assert.deepEqual(names('x86_64', 'getpid'), []);
  assert.equal(list('x86_64', 'socket')[0]?.constants, 'AF_');
});

test('widths are what the kernel reads', () => {
  assert.deepEqual(widths('x86_64', 'ioctl'), [32, 32, 64]);
  assert.deepEqual(widths('i386', 'ioctl'), [32, 32, 32]);
  assert.deepEqual(widths('x32', 'ioctl'), [32, 32, 32]);
  assert.deepEqual(widths('x86_64', 'clone'), [32, 64, 64, 64, 64]);
  assert.deepEqual(widths('x86_64', 'clone3'), [64, 64]);
  assert.deepEqual(widths('x86_64', 'unshare'), [64]);
  assert.deepEqual(widths('aarch64', 'mmap'), [64, 64, 64, 64, 32, 64]);
  assert.deepEqual(widths('x32', 'mmap'), [64, 64, 64, 64, 32, 64]);
  assert.deepEqual(widths('x86_64', 'openat'), [32, 64, 32, 32]);
  assert.deepEqual(widths('x86_64', 'prctl'), [32, 64, 64, 64, 64]);
  assert.deepEqual(widths('x86_64', 'write'), [32, 64, 64]);
  assert.deepEqual(widths('x86_64', 'lseek'), [32, 64, 32]);
  assert.deepEqual(widths('x86_64', 'kill'), [32, 32]);
});

test('all of i386 is 32 bits wide, with 64-bit values in two registers', () => {
  for (const name of syscallNames('i386')) {
    for (const parameter of parameters('i386', name) ?? [])
      assert.equal(parameter.width, 32, `${name} ${parameter.name}`);
  }
  assert.equal(list('i386', 'pread64').length, 5);
  assert.equal(list('i386', 'fallocate').length, 6);
  assert.equal(list('i386', 'mmap').length, 1);
  assert.equal(list('i386', 'mmap2').length, 6);
});

test('the order of clone is that of its arch', () => {
  assert.deepEqual(names('x86_64', 'clone'), ['flags', 'stack', 'parent_tid', 'child_tid', 'tls']);
  assert.deepEqual(names('x32', 'clone'), ['flags', 'stack', 'parent_tid', 'child_tid', 'tls']);
  assert.deepEqual(names('i386', 'clone'), ['flags', 'stack', 'parent_tid', 'tls', 'child_tid']);
  assert.deepEqual(names('aarch64', 'clone'), ['flags', 'stack', 'parent_tid', 'tls', 'child_tid']);
});

test('no call has more than six parameters, or two of one name', () => {
  for (const arch of ARCH_NAMES) {
    for (const name of syscallNames(arch)) {
      const found = parameters(arch, name) ?? [];
      assert.ok(found.length <= 6, `${arch} ${name}`);
      const all = found.flatMap((parameter) => [parameter.name, ...parameter.aliases]);
      assert.equal(new Set(all).size, all.length, `${arch} ${name}: ${all}`);
      for (const word of all) assert.match(word, /^[a-z_][a-z0-9_]*$/, `${arch} ${name}`);
    }
  }
});

test('only calls that no kernel implements have no known parameters', () => {
  const reserved =
    'afs_syscall break epoll_ctl_old epoll_wait_old ftime getpmsg gtty lock mpx prof profil putpmsg security stty tuxcall ulimit vserver multiplexer reserved177 reserved193 timerfd'.split(
      ' ',
    );
  for (const arch of ARCH_NAMES) {
    for (const name of syscallNames(arch)) {
      if (!reserved.includes(name)) assert.ok(parameters(arch, name), `${arch} ${name}`);
    }
  }
  assert.equal(parameters('aarch64', 'open'), undefined);
  assert.equal(syscallNumber('aarch64', 'open'), undefined);
});

test('the constants of a parameter exist', () => {
  const all = [...constantNames('x86_64')];
  for (const name of syscallNames('x86_64')) {
    for (const { constants } of parameters('x86_64', name) ?? []) {
      if (constants === undefined) continue;
      assert.ok(
        all.some((word) => word.startsWith(constants) || word.endsWith(constants)),
        `${name} ${constants}`,
      );
    }
  }
});
