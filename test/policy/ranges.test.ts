// Ranges of numbers, and rules for the calls of other ABIs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ARCHES, type ArchName } from '../../src/facts/arches.ts';
import { policy } from '../../src/policy/builder.ts';
import { decide } from '../../src/policy/decide.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { permittedLines } from '../../src/policy/permitted.ts';
import { printPolicy } from '../../src/policy/print.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';

const ALLOW = 0x7fff_0000;
const LOG = 0x7ffc_0000;
const EPERM = 0x0005_0001;
const ENOSYS = 0x0005_0026;
const KILL = 0x8000_0000;

const TEXT = `selkie: 1
sets: 1
arches: [x86_64, i386]
default: errno(EPERM)
kernel: "6.1"
unknown: errno(ENOSYS)
bad_arch: kill_process
syscalls:
  allow:
    - syscall(0..3)
    - syscall(1000..0x1fffffff)
    - syscall(1500..1600)
    - write: fd == 1
  log:
    - close
    - syscall(1200)
only:
  i386:
    log:
      - syscall(0xfffffff0..0xffffffff)
  other:
    allow:
      - syscall(9..11)
      - syscall(41): raw(arg0) == 1 && u32(arg1) < 3
    log:
      - syscall(41): raw(arg0) == 0x100000000
      - syscall(0x40000000..0x4fffffff)
`;
const resolved = resolvePolicy(parsePolicy(TEXT));

const at = (arch: ArchName | number, nr: number, ...args: readonly bigint[]): number =>
  decide(resolved, {
    nr,
    arch: typeof arch === 'number' ? arch : ARCHES[arch].token,
    instructionPointer: 0n,
    args: Array.from({ length: 6 }, (_, index) => args[index] ?? 0n),
  });

const CALLS: readonly (readonly [claim: string, action: number, expected: number])[] = [
  ['the first number of a range', at('x86_64', 0), ALLOW],
  ['a name beats a range', at('x86_64', 3), LOG],
  ['a condition that holds beats a range', at('x86_64', 1, 1n), ALLOW],
  ['where it does not hold the range is in force, not the default', at('x86_64', 1, 2n), ALLOW],
  ['behind a short range', at('x86_64', 4), EPERM],
  ['below a range', at('x86_64', 999), ENOSYS],
  ['a range beats unknown', at('x86_64', 1000), ALLOW],
  ['a number beats the range around it', at('x86_64', 1200), LOG],
  ['a range within another one with the same action', at('x86_64', 1600), ALLOW],
  ['behind a range that holds another one', at('x86_64', 1601), ALLOW],
  ['the last number of a range', at('x86_64', 0x1fff_ffff), ALLOW],
  ['above a range', at('x86_64', 0x2000_0000), ENOSYS],
  ['a range for all ABIs', at('i386', 2), ALLOW],
  ['a range for one ABI', at('i386', 0xffff_ffff), LOG],
  ['another ABI: a number', at('aarch64', 10), ALLOW],
  ['another ABI: bad_arch', at('aarch64', 12), KILL],
  ['another ABI: a condition', at('aarch64', 41, 1n, 2n), ALLOW],
  ['another ABI: a condition that does not hold', at('aarch64', 41, 1n, 3n), KILL],
  ['a token of no ABI', at(0x5234_5678, 41, 1n, 0x5_0000_0002n), ALLOW],
  ['a big-endian token: the words of x86_64', at('s390x', 41, 1n), LOG],
  ['a big-endian token: the words of x86_64, both', at('s390x', 41, 1n << 32n, 2n << 32n), ALLOW],
  ['x32, which is not listed, is another ABI', at('x86_64', 0x4000_0000), LOG],
  ['numbers of the token beyond', at('x86_64', 0x5000_0000), KILL],
  ['-1', at('x86_64', 0xffff_ffff), KILL],
];
for (const [claim, action, expected] of CALLS)
  test(`ranges and other ABIs: ${claim}`, () => assert.equal(action.toString(16), expected.toString(16)));

test('ranges and other ABIs are printed as they were written', () => {
  assert.equal(printPolicy(parsePolicy(TEXT)), TEXT);
});

test('ranges and other ABIs: the builder takes the same texts', () => {
  const built = policy({ default: 'errno(EPERM)', arches: ['x86_64'] })
    .allow('syscall(0..0x10)')
    .only('other', 'log', 'syscall(41)', 'raw(arg0) == 1')
    .build();
  const lines = ['    - syscall(0..16)', '  other:', '    log:', '      - syscall(41): raw(arg0) == 1'];
  for (const line of lines) assert.ok(printPolicy(built).split('\n').includes(line), line);
  assert.deepEqual(permittedLines(built), ['syscall(0..16)', 'syscall(41) (other only): raw(arg0) == 1']);
});

test('ranges are cut to the numbers of each ABI', () => {
  const text =
    'selkie: 1\narches: [x86_64, x32]\ndefault: log\nsyscalls:\n  allow: [syscall(0x3ffffffe..0x40000001)]\n';
  const { arches } = resolvePolicy(parsePolicy(text));
  assert.deepEqual(
    arches.map(({ ranges = [] }) => ranges.map(({ from, to }) => [from, to])),
    [[[0x3fff_fffe, 0x3fff_ffff]], [[0x4000_0000, 0x4000_0001]]],
  );
});
