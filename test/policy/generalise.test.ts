import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ArchName } from '../../src/facts/arches.ts';
import { dangersOf } from '../../src/facts/dangers.ts';
import { SELECTORS } from '../../src/facts/selector-table.ts';
import { type Selector, selectorsOf } from '../../src/facts/selectors.ts';
import { conditionOfBox } from '../../src/policy/box-condition.ts';
import { parseCondition } from '../../src/policy/condition.ts';
import { printCondition } from '../../src/policy/condition-print.ts';
import { holds } from '../../src/policy/decide.ts';
import { generalise, isIn, permits, type Sample } from '../../src/policy/generalise.ts';
import { resolveCondition } from '../../src/policy/resolve-condition.ts';
import { valuesText } from '../../src/policy/selector-names.ts';

const kinds = (['x86_64', 'i386', 'x32'] as const).flatMap((arch) =>
  Object.keys(SELECTORS)
    .filter((call) => selectorsOf(arch, call).length > 0)
    .map((call) => ({ arch, call })),
);

/** Values that share bits and numbers with each other and with dangers, so that rules meet. */
function selectorValue(arch: ArchName, call: string, selector: Selector): fc.Arbitrary<bigint> {
  const { number, flags, argument, width } = selector;
  const dangers = dangersOf(arch, call).flatMap(({ values }) => values.get(argument) ?? []);
  const bits = dangers.reduce((all, value) => all | value, 0x7n);
  const small = fc.bigInt({ min: 0n, max: 7n });
  const any = fc.bigInt({ min: 0n, max: (1n << BigInt(width)) - 1n });
  const some = fc.bigInt({ min: 0n, max: (1n << BigInt(width)) - 1n }).map((value) => value & bits);
  return fc.oneof(small, some, any, fc.constantFrom(0n, ...dangers)).map((value) => value & (number | flags));
}

const cases = fc.constantFrom(...kinds).chain(({ arch, call }) => {
  const selectors = selectorsOf(arch, call);
  const values = fc.tuple(...selectors.map((selector) => selectorValue(arch, call, selector)));
  const samples = fc.array(fc.record({ values, count: fc.integer({ min: 1, max: 99 }) }), {
    minLength: 1,
    maxLength: 8,
  });
  return fc.record({
    arch: fc.constant(arch),
    call: fc.constant(call),
    samples,
    others: fc.array(values, { maxLength: 8 }),
  });
});

const generalisationOf = (arch: ArchName, call: string, samples: readonly Sample[]) => {
  const selectors = selectorsOf(arch, call);
  const dangers = dangersOf(arch, call);
  return { selectors, dangers, ...generalise(selectors, dangers, samples) };
};

test('every call that was seen is permitted, by one alternative alone', () =>
  fc.assert(
    fc.property(cases, ({ arch, call, samples }) => {
      const { selectors, boxes } = generalisationOf(arch, call, samples);
      for (const { values } of samples)
        assert.equal(
          boxes.filter((box) => permits(box, selectors, values)).length,
          1,
          valuesText(arch, selectors, values),
        );
    }),
  ));

test('no number, combination of numbers, flag or dangerous combination is permitted that was never seen', () =>
  fc.assert(
    fc.property(cases, ({ arch, call, samples, others }) => {
      const { selectors, dangers, boxes, neverSeen } = generalisationOf(arch, call, samples);
      const numbersOf = (values: readonly bigint[]) =>
        selectors.map(({ number }, at) => (values[at] ?? 0n) & number).join();
      for (const values of others.filter((each) => boxes.some((box) => permits(box, selectors, each)))) {
        const alike = samples.filter((sample) => numbersOf(sample.values) === numbersOf(values));
        assert.ok(alike.length > 0);
        selectors.forEach(({ flags }, at) => {
          const seen = alike.reduce((all, sample) => all | ((sample.values[at] ?? 0n) & flags), 0n);
          assert.equal((values[at] ?? 0n) & flags & ~seen, 0n);
        });
        for (const danger of dangers.filter((each) => isIn(each, selectors, values)))
          assert.ok(
            alike.some((sample) => isIn(danger, selectors, sample.values)),
            danger.name,
          );
        assert.ok(!neverSeen.some((danger) => isIn(danger, selectors, values)));
      }
    }),
    { numRuns: 300 },
  ));

test('more that was seen never permits less', () =>
  fc.assert(
    fc.property(cases, ({ arch, call, samples, others }) => {
      const before = generalisationOf(arch, call, samples.slice(1));
      const { selectors, boxes } = generalisationOf(arch, call, samples);
      const isPermitted = (list: typeof boxes, values: readonly bigint[]) =>
        list.some((box) => permits(box, selectors, values));
      for (const values of others.filter((each) => isPermitted(before.boxes, each)))
        assert.ok(isPermitted(boxes, values));
    }),
    { numRuns: 300 },
  ));

test('the condition says what the box permits, as text too, whatever stands above the bits that the kernel reads', () =>
  fc.assert(
    fc.property(cases, fc.bigInt({ min: 0n, max: 0xffff_ffffn }), ({ arch, call, samples, others }, garbage) => {
      const { selectors, boxes } = generalisationOf(arch, call, samples);
      for (const box of boxes) {
        const condition = conditionOfBox(arch, selectors, box);
        const text = condition && printCondition(condition);
        const resolved = text === undefined ? undefined : resolveCondition(parseCondition(text), { arch, name: call });
        for (const values of [...samples.map((sample) => sample.values), ...others]) {
          const args = [0n, 0n, 0n, 0n, 0n, 0n];
          selectors.forEach(({ index, width }, at) => {
            args[index] = (values[at] ?? 0n) | (width === 32 ? garbage << 32n : 0n);
          });
          const data = { nr: 0, arch: 0, instructionPointer: 0n, args };
          assert.equal(resolved === undefined || holds(resolved, data), permits(box, selectors, values), text);
        }
      }
    }),
    { numRuns: 300 },
  ));

test('alternatives that differ in one number are one; the order of what was seen does not matter', () =>
  fc.assert(
    fc.property(cases, ({ arch, call, samples }) => {
      const textsOf = (list: readonly Sample[]) => {
        const { selectors, boxes } = generalisationOf(arch, call, list);
        return boxes
          .map((box) => JSON.stringify(conditionOfBox(arch, selectors, box), (_, value) => `${value}`))
          .sort();
      };
      assert.deepEqual(textsOf(samples), textsOf(samples.toReversed()));
    }),
  ));

const conditions = (call: string, ...tuples: readonly (readonly bigint[])[]): readonly string[] => {
  const { selectors, boxes } = generalisationOf(
    'x86_64',
    call,
    tuples.map((values) => ({ values, count: 1 })),
  );
  return boxes.map((box) => {
    const condition = conditionOfBox('x86_64', selectors, box);
    return condition === undefined ? '' : printCondition(condition);
  });
};

for (const [claim, call, tuples, wanted] of [
  [
    'sets of values',
    'socket',
    [
      [2n, 1n, 0n],
      [10n, 1n, 0n],
    ],
    ['domain in [AF_INET, AF_INET6] && type == SOCK_STREAM && protocol == IPPROTO_IP'],
  ],
  ['only these bits', 'mprotect', [[1n], [3n]], ['prot within [PROT_READ, PROT_WRITE]']],
  [
    'bits that were seen apart only',
    'mprotect',
    [[3n], [5n]],
    ['prot within [PROT_READ, PROT_WRITE, PROT_EXEC] && (prot & PROT_WRITE|PROT_EXEC) != PROT_WRITE|PROT_EXEC'],
  ],
  ['bits that were seen together', 'mprotect', [[7n]], ['prot within [PROT_READ, PROT_WRITE, PROT_EXEC]']],
  ['no bits', 'mprotect', [[0n]], ['prot == 0']],
  [
    'an access mode with its own flags',
    'openat',
    [[0x80000n], [0x241n]],
    [
      '(flags & O_ACCMODE) == O_RDONLY && (flags & ~O_ACCMODE) within [O_CLOEXEC]',
      '(flags & O_ACCMODE) == O_WRONLY && (flags & ~O_ACCMODE) within [O_CREAT, O_TRUNC]',
    ],
  ],
  [
    'a name of several bits',
    'openat',
    [[0x410002n]],
    ['(flags & O_ACCMODE) == O_RDWR && (flags & ~O_ACCMODE) within [O_DIRECTORY, O_TMPFILE]'],
  ],
  ['bits without names', 'mprotect', [[0x100n]], ['prot within [0x100]']],
  [
    'names that depend on another argument',
    'setsockopt',
    [
      [1n, 2n],
      [6n, 1n],
    ],
    ['level == SOL_SOCKET && optname == SO_REUSEADDR', 'level == SOL_TCP && optname == TCP_NODELAY'],
  ],
  ['all that a mask has', 'fchmod', [[0xc00n]], ['']],
  ['bits of a mask', 'fchmod', [[0n]], ['(mode & S_ISGID|S_ISUID) == 0']],
  [
    'the signal of clone',
    'clone',
    [[17n], [0x3d0f00n]],
    [
      'flags == SIGCHLD',
      '(flags & CSIGNAL) == 0 && (flags & ~CSIGNAL) within [CLONE_VM, CLONE_FS, CLONE_FILES, CLONE_SIGHAND, CLONE_THREAD, CLONE_SYSVSEM, CLONE_SETTLS, CLONE_PARENT_SETTID, CLONE_CHILD_CLEARTID]',
    ],
  ],
  [
    'an operation with its flags',
    'futex',
    [[0x80n], [0x81n], [0x189n]],
    [
      '(futex_op & 0x7f) in [FUTEX_WAIT, FUTEX_WAKE] && (futex_op & ~0x7f) within [FUTEX_PRIVATE_FLAG]',
      '(futex_op & 0x7f) == FUTEX_WAIT_BITSET && (futex_op & ~0x7f) within [FUTEX_PRIVATE_FLAG, FUTEX_CLOCK_REALTIME]',
    ],
  ],
] as const)
  test(`conditions: ${claim}`, () => assert.deepEqual(conditions(call, ...tuples), wanted));
