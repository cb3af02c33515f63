import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ARCH_NAMES, type ArchName } from '../../src/facts/arches.ts';
import { constant, constantName, constantNames } from '../../src/facts/constants.ts';
import { errnoName, errnoNames, errnoNumber, errnoText } from '../../src/facts/errnos.ts';
import { syscallNumber } from '../../src/facts/syscalls.ts';

test('constants have the values of their arch', () => {
  const vectors: [string, (bigint | undefined)[]][] = [
    ['AF_UNIX', [1n, 1n, 1n, 1n]],
    ['SOCK_CLOEXEC', [0o2000000n, 0o2000000n, 0o2000000n, 0o2000000n]],
    ['O_DIRECTORY', [0o200000n, 0o200000n, 0o200000n, 0o40000n]],
    ['O_NOFOLLOW', [0o400000n, 0o400000n, 0o400000n, 0o100000n]],
    ['O_DIRECT', [0o40000n, 0o40000n, 0o40000n, 0o200000n]],
    ['O_LARGEFILE', [0o100000n, 0o100000n, 0o100000n, 0o400000n]],
    ['MAP_32BIT', [0x40n, 0x40n, 0x40n, undefined]],
    ['AT_FDCWD', [-100n, -100n, -100n, -100n]],
    ['TIOCSTI', [0x5412n, 0x5412n, 0x5412n, 0x5412n]],
    ['TIOCGPTN', [0x80045430n, 0x80045430n, 0x80045430n, 0x80045430n]],
    ['BLKGETSIZE64', [0x80081272n, 0x80041272n, 0x80041272n, 0x80081272n]],
    ['F_SETLK', [6n, 6n, 6n, 6n]],
    ['CLONE_NEWUSER', [0x10000000n, 0x10000000n, 0x10000000n, 0x10000000n]],
    ['ARCH_SET_FS', [0x1002n, 0x1002n, 0x1002n, undefined]],
    ['PROT_BTI', [undefined, undefined, undefined, 0x10n]],
    ['SO_RCVTIMEO', [20n, 20n, 20n, 20n]],
    ['SPLICE_F_MOVE', [1n, 1n, 1n, 1n]],
    ['__WALL', [0x40000000n, 0x40000000n, 0x40000000n, 0x40000000n]],
    ['SIGSYS', [31n, 31n, 31n, 31n]],
    ['SECCOMP_SET_MODE_FILTER', [1n, 1n, 1n, 1n]],
    ['BPF_PROG_LOAD', [5n, 5n, 5n, 5n]],
    ['KEYCTL_READ', [11n, 11n, 11n, 11n]],
    ['hasOwnProperty', [undefined, undefined, undefined, undefined]],
  ];
  for (const [name, values] of vectors) {
    (['x86_64', 'i386', 'x32', 'aarch64'] as const).forEach((arch, index) => {
      assert.equal(constant(arch, name), values[index], `${arch} ${name}`);
    });
  }
  const others: [string, { [arch: string]: bigint | undefined }][] = [
    ['AF_UNIX', { arm: 1n, riscv64: 1n, ppc64le: 1n, s390x: 1n, mips64el: 1n, loongarch64: 1n }],
    ['SOCK_STREAM', { arm: 1n, mips64el: 2n, s390x: 1n }],
    ['O_CREAT', { arm: 0o100n, mips64el: 0x100n, ppc64le: 0o100n }],
    ['O_DIRECTORY', { arm: 0o40000n, riscv64: 0o200000n, ppc64le: 0o40000n, s390x: 0o200000n, mips64el: 0x10000n }],
    ['MAP_ANONYMOUS', { arm: 0x20n, mips64el: 0x800n, loongarch64: 0x20n }],
    ['TIOCSTI', { arm: 0x5412n, mips64el: 0x5472n, ppc64le: 0x5412n }],
    ['TIOCGWINSZ', { arm: 0x5413n, mips64el: 0x40087468n, ppc64le: 0x40087468n }],
    ['SOL_SOCKET', { arm: 1n, mips64el: 0xffffn }],
    ['SIGSYS', { arm: 31n, mips64el: 12n }],
  ];
  for (const [name, values] of others)
    for (const [arch, value] of Object.entries(values))
      assert.equal(constant(arch as ArchName, name), value, `${arch} ${name}`);
});

test('every family that policies speak of has its constants', () => {
  const families =
    'AF_ SOCK_ O_ PROT_ MAP_ CLONE_ F_ TIOC FIO PR_ SIG AT_ MADV_ FUTEX_ EPOLL_ RLIMIT_ SECCOMP_ SOL_ SO_ S_I GRND_ MFD_ TFD_ ' +
    'EFD_ SFD_ IN_ POLL LOCK_ SEEK_ MSG_ SHUT_ PTRACE_ BPF_ KEYCTL_ IPPROTO_ CAP_ MS_ FAN_ CLOCK_ SCHED_ W P_ RENAME_ STATX_ IORING_';
  for (const arch of ARCH_NAMES) {
    const names = [...constantNames(arch)];
    for (const family of families.split(' ')) {
      assert.ok(names.filter((name) => name.startsWith(family)).length >= 2, `${arch} ${family}`);
    }
  }
});

test('values are printed by the name that people use', () => {
  const vectors: [string, bigint, string][] = [
    ['AF_', 1n, 'AF_UNIX'],
    ['AF_', 16n, 'AF_NETLINK'],
    ['SOCK_', 1n, 'SOCK_STREAM'],
    ['SOCK_', 2n, 'SOCK_DGRAM'],
    ['SIG', 1n, 'SIGHUP'],
    ['SIG', 9n, 'SIGKILL'],
    ['SIG', 31n, 'SIGSYS'],
    ['PR_', 1n, 'PR_SET_PDEATHSIG'],
    ['PR_', 22n, 'PR_SET_SECCOMP'],
    ['PR_', 38n, 'PR_SET_NO_NEW_PRIVS'],
    ['F_', 4n, 'F_SETFL'],
    ['MAP_', 0x20n, 'MAP_ANONYMOUS'],
    ['O_', 0o4000n, 'O_NONBLOCK'],
    ['FUTEX_', 0n, 'FUTEX_WAIT'],
    ['FUTEX_', 1n, 'FUTEX_WAKE'],
    ['BPF_', 0n, 'BPF_MAP_CREATE'],
    ['BPF_', 5n, 'BPF_PROG_LOAD'],
    ['PTRACE_', 16n, 'PTRACE_ATTACH'],
    ['PTRACE_', 0n, 'PTRACE_TRACEME'],
    ['SECCOMP_', 1n, 'SECCOMP_SET_MODE_FILTER'],
    ['_OK', 0n, 'F_OK'],
    ['_OK', 4n, 'R_OK'],
    ['AT_', -100n, 'AT_FDCWD'],
    ['CLOCK_', 0n, 'CLOCK_REALTIME'],
    ['IPPROTO_', 0n, 'IPPROTO_IP'],
    ['KEYCTL_', 0n, 'KEYCTL_GET_KEYRING_ID'],
  ];
  for (const [prefix, value, name] of vectors)
    assert.equal(constantName('x86_64', prefix, value), name, `${prefix} ${value}`);
  assert.equal(constantName('x86_64', 'AF_', 4095n), undefined);
});

test('a printed name has the value that was asked for', () => {
  for (const prefix of ['AF_', 'PR_', 'SIG', 'F_', 'BPF_', '_OK', 'MAP_']) {
    for (let value = 0n; value < 64n; value++) {
      const name = constantName('aarch64', prefix, value);
      if (name !== undefined) assert.equal(constant('aarch64', name), value, name);
    }
  }
});

test('errnos are those of the kernel, with a text each', () => {
  for (const arch of ARCH_NAMES) {
    assert.equal(errnoNumber(arch, 'EPERM'), 1);
    assert.equal(errnoNumber(arch, 'EWOULDBLOCK'), 11);
    const isMips = arch === 'mips64el';
    assert.equal(errnoNumber(arch, 'ENOTSUP'), isMips ? 122 : 95);
    assert.equal(errnoNumber(arch, 'ENOSYS'), isMips ? 89 : 38);
    assert.equal(errnoName(arch, 11), 'EAGAIN');
    assert.equal(errnoName(arch, isMips ? 45 : 35), 'EDEADLK');
    assert.equal(errnoName(arch, isMips ? 122 : 95), 'EOPNOTSUPP');
    assert.equal(errnoNumber(arch, 'EHWPOISON'), isMips ? 168 : 133);
    assert.equal(errnoName(arch, 4095), undefined);
    for (const name of errnoNames(arch)) {
      const text = errnoText(errnoNumber(arch, name) as number, arch);
      assert.match(text ?? '', /^[\w.][\w ./:'-]{4,60}$/, name);
    }
  }
  assert.equal(errnoText(1), 'Operation not permitted');
  assert.equal(errnoText(38), 'Function not implemented');
});

const compiler = spawnSync('gcc', ['--version']).status === 0;
const skip = compiler ? false : 'gcc is not installed';
const headers = [
  'fcntl.h',
  'sched.h',
  'signal.h',
  'sys/mman.h',
  'sys/socket.h',
  'sys/prctl.h',
  'sys/stat.h',
  'sys/ioctl.h',
  'poll.h',
];

function macros(...arguments_: string[]): string[] {
  const text = execFileSync('gcc', ['-D_GNU_SOURCE', ...arguments_, '-E', '-dM', '-x', 'c', '/dev/null'], {
    encoding: 'utf8',
  });
  return text.split('\n');
}

/** Evaluates names with the C library's headers: another source than the one of our tables. */
function evaluate(names: string[]): Map<string, bigint> {
  const folder = mkdtempSync(join(tmpdir(), 'selkie-constants-'));
  try {
    const lines = names.map((name) => `printf("${name} %lld\\n", (long long)(${name}));`);
    const program = [
      ...headers.map((header) => `#include <${header}>`),
      '#include <stdio.h>',
      'int main(void) {',
      ...lines,
      '}',
    ];
    writeFileSync(join(folder, 'probe.c'), program.join('\n'));
    execFileSync('gcc', ['-D_GNU_SOURCE', '-w', '-o', join(folder, 'probe'), join(folder, 'probe.c')]);
    const text = execFileSync(join(folder, 'probe'), { encoding: 'utf8' });
    return new Map(
      text
        .trim()
        .split('\n')
        .map((line) => [line.split(' ')[0] ?? '', BigInt(line.split(' ')[1] ?? 0)]),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test('constants agree with those of the C library of this machine', {
  skip: skip || (process.arch !== 'x64' && 'not x86_64'),
}, () => {
  // The C library hides these from its callers: it makes O_LARGEFILE and the 64-bit locks its own business.
  const hidden =
    /^(MAP_FAILED|O_LARGEFILE|F_[GS]ETLKW?(64)?|SIGRTM(IN|AX)|(MIN)?SIGSTKSZ|SIG_.*|S_IS.*|AF_MAX|PF_MAX|SA_RESTORER|NSIG|TC[GS]ETS[FW]?2|TIOC[GS]ISO7816)$/;
  const defined = macros(...headers.flatMap((header) => ['-include', header]))
    .map((line) => /^#define ([A-Z]\w*) \S/.exec(line)?.[1] ?? '')
    .filter((name) => name !== '' && !hidden.test(name) && constant('x86_64', name) !== undefined);
  const values = evaluate(defined);
  assert.ok(values.size > 500, `only ${values.size} compared`);
  for (const [name, value] of values) {
    assert.equal(BigInt.asIntN(64, constant('x86_64', name) as bigint), value, name);
  }
});

test('numbers agree with every __NR_ of the C headers of this machine', { skip }, () => {
  const arch: ArchName = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
  let compared = 0;
  for (const line of macros('-include', 'sys/syscall.h')) {
    const match = /^#define __NR_(\w+) (\d+)$/.exec(line);
    if (!match) continue;
    assert.equal(syscallNumber(arch, match[1] as string), Number(match[2]), match[1]);
    compared++;
  }
  assert.ok(compared > 300, `only ${compared} compared`);
});
