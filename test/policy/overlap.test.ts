import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { holds } from '../../src/policy/decide.ts';
import { findCall } from '../../src/policy/overlap.ts';
import type { ResolvedCondition } from '../../src/policy/resolved.ts';

const OPERATORS = ['==', '!=', '<', '<=', '>', '>='] as const;

/** Conditions on four bits of two arguments, so that all 256 calls can be tried. */
const small: fc.Arbitrary<ResolvedCondition> = fc.letrec<{ condition: ResolvedCondition }>((tie) => ({
  condition: fc.oneof(
    { depthSize: 'medium', withCrossShrink: true },
    fc.record({
      kind: fc.constant('test' as const),
      argument: fc.constantFrom<(number | 'ip')[]>(0, 'ip'),
      width: fc.constant(64 as const),
      mask: fc.bigInt({ min: 0n, max: 15n }),
      operator: fc.constantFrom(...OPERATORS),
      value: fc.bigInt({ min: 0n, max: 16n }),
    }),
    fc.record({
      kind: fc.constantFrom('and' as const, 'or' as const),
      operands: fc.array(tie('condition'), { maxLength: 4 }),
    }),
    fc.record({ kind: fc.constant('not' as const), operand: tie('condition') }),
  ),
})).condition;

function dataOf(instructionPointer: bigint, args: readonly bigint[]): Parameters<typeof holds>[1] {
  return { nr: 0, arch: 0, instructionPointer, args };
}

function satisfiable(condition: ResolvedCondition): boolean {
  for (let bits = 0; bits < 256; bits += 1) {
    const args = [BigInt(bits & 15), 0n, 0n, 0n, 0n, 0n];
    if (holds(condition, dataOf(BigInt(bits >> 4), args))) return true;
  }
  return false;
}

test('findCall() agrees with trying every call, and its call makes the condition hold', () => {
  const property = fc.property(small, small, (left, right) => {
    const both: ResolvedCondition = { kind: 'and', operands: [left, right] };
    const found = findCall(left, right);
    assert.equal(found !== undefined, satisfiable(both));
    if (found) assert.ok(holds(both, dataOf(found.instructionPointer, found.args)));
  });
  fc.assert(property, { numRuns: 5_000 });
});

test('findCall() knows the edges of 64 bits', () => {
  const all = 0xffff_ffff_ffff_ffffn;
  const make = (operator: (typeof OPERATORS)[number], value: bigint): ResolvedCondition => {
    return { kind: 'test', argument: 5, width: 64, mask: all, operator, value };
  };
  assert.equal(findCall(make('>', all)), undefined);
  assert.equal(findCall(make('>=', all))?.args[5], all);
  assert.equal(findCall(make('>', all - 1n), make('!=', all)), undefined);
  assert.equal(findCall(make('<', 0n)), undefined);
});

test('findCall() settles a thousand alternatives against their complement', () => {
  const operands = Array.from({ length: 1_000 }, (_, index): ResolvedCondition => {
    return { kind: 'test', argument: 1, width: 32, mask: 0xffff_ffffn, operator: '==', value: BigInt(index * 7919) };
  });
  const any: ResolvedCondition = { kind: 'or', operands };
  assert.ok(findCall({ kind: 'not', operand: any }));
  assert.ok(findCall(any));
});
