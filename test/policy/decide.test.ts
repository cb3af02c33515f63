import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decide } from '../../src/policy/decide.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';

const X86_64 = 0xc000_003e;
const I386 = 0x4000_0003;
const ALLOW = 0x7fff_0000;
const EPERM = 0x0005_0001;
const ENOSYS = 0x0005_0026;
const KILL = 0x8000_0000;

const policy = parsePolicy(`selkie: 1
arches: [x86_64]
default: errno(EPERM)
kernel: "6.1"
unknown: errno(ENOSYS)
syscalls:
  allow:
    - read
    - socket: domain == AF_UNIX
    - ioctl: not request in [0x5412, 0x541c]
    - lseek: offset < 0x100000000
    - syscall(1000)
`);
const resolved = resolvePolicy(policy);

const CALLS: readonly (readonly [claim: string, arch: number, nr: number, args: readonly bigint[], action: number])[] =
  [
    ['an allowed call', X86_64, 0, [], ALLOW],
    ['a call that no rule names', X86_64, 1, [], EPERM],
    ['a condition that holds', X86_64, 41, [1n], ALLOW],
    ['a condition that does not hold gets the default', X86_64, 41, [2n], EPERM],
    ['an int is compared on its low half', X86_64, 41, [0xffff_ffff_0000_0001n], ALLOW],
    ['a denied request cannot hide behind its high half', X86_64, 16, [0n, 0x1_0000_5412n], EPERM],
    ['another request', X86_64, 16, [0n, 0x5413n], ALLOW],
    ['64 bits: below', X86_64, 8, [0n, 0xffff_ffffn], ALLOW],
    ['64 bits: at', X86_64, 8, [0n, 0x1_0000_0000n], EPERM],
    ['64 bits: comparisons are unsigned', X86_64, 8, [0n, 0xffff_ffff_ffff_ffffn], EPERM],
    ['the largest number of 6.1', X86_64, 450, [], EPERM],
    ['a newer number', X86_64, 451, [], ENOSYS],
    ['a newer number that a rule names', X86_64, 1000, [], ALLOW],
    ['the last number of x86_64', X86_64, 0x3fff_ffff, [], ENOSYS],
    ['x32', X86_64, 0x4000_0000, [], KILL],
    ['the sign bit', X86_64, 0x8000_0000, [], KILL],
    ['number -1', X86_64, 0xffff_ffff, [], KILL],
    ['another ABI of the CPU', I386, 3, [], KILL],
    ['an unknown token', 0, 0, [], KILL],
  ];

for (const [claim, arch, nr, args, action] of CALLS) {
  test(`decide(): ${claim}`, () => {
    const all = Array.from({ length: 6 }, (_, index) => args[index] ?? 0n);
    assert.equal(decide(resolved, { arch, nr, instructionPointer: 0n, args: all }), action);
  });
}

test('decide(): x32 alone leaves the numbers of x86_64 to bad_arch', () => {
  const x32 = resolvePolicy(parsePolicy('selkie: 1\narches: [x32]\ndefault: log\nsyscalls:\n  allow: [read]\n'));
  const at = (nr: number): number =>
    decide(x32, { arch: X86_64, nr, instructionPointer: 0n, args: [0n, 0n, 0n, 0n, 0n, 0n] });
  assert.deepEqual([at(0), at(0x4000_0000), at(0x4000_0001)], [KILL, ALLOW, 0x7ffc_0000]);
});
