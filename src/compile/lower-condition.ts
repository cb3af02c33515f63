import { highHalf, lowHalf } from '../base/u64.ts';
import { OFFSET_ARGS, OFFSET_INSTRUCTION_POINTER } from '../facts/seccomp.ts';
import type { ResolvedCondition, ResolvedTest } from '../policy/resolved.ts';
import type { Decision, WordOperator } from './decision.ts';

/**
 * `condition ? yes : no`, short-circuited; `yes` and `no` are shared, never copied.
 *
 * @param littleEndian - whether the low word of an argument comes first
 */
export function lowerCondition(
  condition: ResolvedCondition,
  yes: Decision,
  no: Decision,
  littleEndian: boolean,
): Decision {
  switch (condition.kind) {
    case 'and':
      return condition.operands.reduceRight(
        (rest: Decision, each) => lowerCondition(each, rest, no, littleEndian),
        yes,
      );
    case 'or':
      return condition.operands.reduceRight(
        (rest: Decision, each) => lowerCondition(each, yes, rest, littleEndian),
        no,
      );
    case 'not':
      return lowerCondition(condition.operand, no, yes, littleEndian);
    default:
      return lowerTest(condition, yes, no, littleEndian);
  }
}

function lowerTest(test: ResolvedTest, yes: Decision, no: Decision, littleEndian: boolean): Decision {
  switch (test.operator) {
    case '!=':
      return lowerOperator(test, '==', no, yes, littleEndian);
    case '<':
      return lowerOperator(test, '>=', no, yes, littleEndian);
    case '<=':
      return lowerOperator(test, '>', no, yes, littleEndian);
    default:
      return lowerOperator(test, test.operator, yes, no, littleEndian);
  }
}

function lowerOperator(
  test: ResolvedTest,
  operator: WordOperator,
  yes: Decision,
  no: Decision,
  littleEndian: boolean,
): Decision {
  const offset = test.argument === 'ip' ? OFFSET_INSTRUCTION_POINTER : OFFSET_ARGS + 8 * test.argument;
  const low = word(lowWord(offset, littleEndian), lowHalf(test.mask), operator, lowHalf(test.value), yes, no);
  if (test.width === 32) return low;
  const high = { offset: highWord(offset, littleEndian), mask: highHalf(test.mask), value: highHalf(test.value) };
  const equal = word(high.offset, high.mask, '==', high.value, low, no);
  return operator === '==' ? equal : word(high.offset, high.mask, '>', high.value, yes, equal);
}

/** Where the words of a 64-bit value at `offset` of struct seccomp_data are. */
export function lowWord(offset: number, littleEndian: boolean): number {
  return littleEndian ? offset : offset + 4;
}

function highWord(offset: number, littleEndian: boolean): number {
  return littleEndian ? offset + 4 : offset;
}

/** A test of one word; decided here where the mask leaves no bit or both ways lead to the same place. */
export function word(
  offset: number,
  mask: number,
  operator: WordOperator,
  value: number,
  yes: Decision,
  no: Decision,
): Decision {
  if (yes === no) return yes;
  if (mask === 0) return compareZero(operator, value) ? yes : no;
  return { kind: 'word', offset, mask, operator, value, yes, no };
}

function compareZero(operator: WordOperator, value: number): boolean {
  return operator === '>' ? false : value === 0;
}
