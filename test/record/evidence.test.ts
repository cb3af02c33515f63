import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Evidence, evidenceOf, mergeEvidence, parseEvidence, printEvidence } from '../../src/record/evidence.ts';
import { impliedCalls, policyFromEvidence, releaseOf, withoutRingsOfNode } from '../../src/record/to-policy.ts';

const site = { address: 0x7fff_0000_1234n, module: '/lib/libc.so.6', offset: 0x1234n };
const line = (over: Partial<Evidence>): Evidence => ({
  exe: '/bin/x',
  arch: 'x86_64',
  syscall: 'read',
  nr: 0,
  phase: 'program',
  condition: null,
  runs: 1,
  count: 1,
  site,
  ...over,
});

test('names come from the ABI: i386 20 is getpid, x86_64 20 is writev, an unknown number has none', () => {
  const call = { exe: '/bin/x', phase: 'program', count: 1, ip: 1n } as const;
  const names = evidenceOf([
    { ...call, arch: 'i386', nr: 20 },
    { ...call, arch: 'x86_64', nr: 20 },
    { ...call, arch: 'x86_64', nr: 4000 },
  ]).map(({ syscall }) => syscall);
  assert.deepEqual(new Set(names), new Set(['getpid', 'writev', undefined]));
});

const lines = fc.array(
  fc
    .record({
      exe: fc.string(),
      phase: fc.constantFrom('start' as const, 'program' as const),
      nr: fc.nat(10),
      runs: fc.integer({ min: 1, max: 9 }),
      count: fc.integer({ min: 1, max: 1e9 }),
      condition: fc.option(
        fc.record(
          { domain: fc.bigInt({ min: 0n, max: 3n }), type: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) },
          { noNullPrototype: true },
        ),
      ),
    })
    .map((over) => line({ ...over, syscall: `call${over.nr}` })),
);

test('parseEvidence(printEvidence(x)) is x', () =>
  fc.assert(fc.property(lines, (list) => assert.deepEqual(parseEvidence(printEvidence(list), 'f'), list))));

test('mergeEvidence() does not depend on order, and adds up', () =>
  fc.assert(
    fc.property(lines, lines, (a, b) => {
      const merged = mergeEvidence(a, b);
      assert.deepEqual(merged, mergeEvidence(b, a));
      const total = (list: readonly Evidence[]) => list.reduce((sum, { count }) => sum + count, 0);
      assert.equal(total(merged), total(a) + total(b));
    }),
  ));

for (const [claim, text, wanted] of [
  ['no JSON', 'x', /f:1: .*not a JSON object/],
  ['an unknown key', `${JSON.stringify({ a: 1 })}`, /f:1: Cannot read evidence/],
  ['a count of 0', printEvidence([line({ count: 0 })]), /f:1: .*count/],
  ['a bad address on the second line', `\n${printEvidence([line({})]).replace('0x7fff', 'zz')}`, /f:2: .*address/],
] as const)
  test(`parseEvidence() refuses ${claim}, with file and line`, () =>
    assert.throws(() => parseEvidence(text, 'f'), { name: 'UsageError', code: 'bad_evidence', message: wanted }));

const EVIDENCE = [
  line({ syscall: 'write', nr: 1 }),
  line({ syscall: 'exit_group', nr: 231 }),
  line({ syscall: 'execve', nr: 59, phase: 'start' }),
  line({ exe: '/bin/y', syscall: 'read', nr: 0 }),
];
const names = (rules: readonly { call: object }[] | undefined) =>
  (rules ?? []).map(({ call }) => ('name' in call ? call.name : call));

test('policyFromEvidence() writes names in order, the phases apart, floors as sets', () => {
  const policy = policyFromEvidence(EVIDENCE, { name: 'x', kernel: '6.18', floor: { runtime: 'Go', sets: ['go'] } });
  assert.deepEqual(names(policy.syscalls), ['exit_group', 'read', 'write', 'go', 'fallback']);
  assert.deepEqual(names(policy.start), ['execve']);
  assert.deepEqual(policy.arches, ['x86_64']);
});

test('without a known runtime the calls that no program can do without are added; --no-floor adds nothing', () => {
  const known = policyFromEvidence(EVIDENCE, { name: 'x', kernel: '6.18', floor: 'none' });
  const added = ['exit', 'exit_group', 'read', 'restart_syscall', 'rt_sigreturn', 'write', 'fallback'];
  assert.deepEqual(names(known.syscalls), added);
  const bare = policyFromEvidence(EVIDENCE, { name: 'x', kernel: '6.18', exe: '/bin/x' });
  assert.deepEqual(names(bare.syscalls), ['exit_group', 'write']);
});

test('withoutRingsOfNode() leaves the rings of Node out, and no others', () => {
  const ring = { syscall: 'io_uring_setup', nr: 425 };
  const [ofNode, ofAnother, read] = [line({ exe: '/node', ...ring }), line(ring), line({ exe: '/node' })];
  const floors = new Map([
    ['/node', { runtime: 'Node with glibc', sets: ['glibc', 'node'] }],
    ['/bin/x', undefined],
  ]);
  assert.deepEqual(withoutRingsOfNode([ofNode, ofAnother, read], floors), [ofAnother, read]);
});

test('a Python that waits for children may kill them; another program that waits, and a Python that does not, may not', () => {
  const python = { runtime: 'Python with glibc', sets: ['glibc', 'python'] };
  const floors = new Map([
    ['/python', python],
    ['/bin/x', undefined],
  ]);
  const waits = { syscall: 'wait4', nr: 61 };
  assert.equal(impliedCalls([line(waits), line({ exe: '/python' })], floors).size, 0);
  const evidence = [line({ exe: '/python', ...waits })];
  const implied = impliedCalls(evidence, floors);
  const policy = policyFromEvidence(evidence, { name: 'x', kernel: '6.18', floor: python, implied });
  assert.deepEqual(names(policy.syscalls), ['kill', 'wait4', 'glibc', 'python', 'fallback']);
  assert.match(policy.syscalls[0]?.comment ?? '', /Python ends children/);
});

test('releaseOf() keeps the first two numbers', () => assert.equal(releaseOf('6.18.44-fc-v769'), '6.18'));
