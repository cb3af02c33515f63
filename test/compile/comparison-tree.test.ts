import assert from 'node:assert/strict';
import test from 'node:test';
import { checkProgram } from '../../src/bpf/check.ts';
import { interpret } from '../../src/bpf/interpret.ts';
import { comparisonTree, type Range } from '../../src/compile/comparison-tree.ts';
import { ALL_BITS, Decisions } from '../../src/compile/decision.ts';
import { layOut } from '../../src/compile/layout.ts';
import { weightsBy } from '../../src/compile/weights.ts';
import { ARCHES } from '../../src/facts/arches.ts';
import { syscallNumber } from '../../src/facts/syscalls.ts';
import { seeded } from '../support/random-policy.ts';

const callOf = (nr: number) => ({ nr, arch: 0, instructionPointer: 0n, args: [0n, 0n, 0n, 0n, 0n, 0n] });

for (const count of [1, 2, 9, 60, 130, 700])
  test(`the tree of ${count} random ranges, laid out, finds the range of every edge`, () => {
    const random = seeded(count);
    const decisions = new Decisions();
    const starts = new Set([0, ...Array.from({ length: count - 1 }, () => Math.floor(random() * 2 ** 32))]);
    const ranges = [...starts]
      .sort((a, b) => a - b)
      .map((from, index): Range => ({ from, decision: decisions.return(index), weight: random() }));
    const program = layOut(comparisonTree(decisions, { offset: 0, mask: ALL_BITS }, ranges));
    checkProgram(program);
    ranges.forEach(({ from }, index) => {
      const last = (ranges[index + 1]?.from ?? 2 ** 32) - 1;
      for (const nr of [from, last]) assert.equal(interpret(program, callOf(nr)).action, index);
    });
    if (count === 700) assert.ok(program.length > 1000, `${program.length}`);
  });

test('calls that evidence counts weigh more than others', () => {
  const { token } = ARCHES.x86_64;
  const nr = syscallNumber('x86_64', 'getpid') as number;
  const counted = weightsBy(new Map([['x86_64', new Map([['getpid', 1000]])]]));
  assert.ok(counted.ofNumbers(token, nr, nr) > 20 * weightsBy().ofNumbers(token, nr, nr));
});
