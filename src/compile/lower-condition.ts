import { highHalf, lowHalf } from '../base/u64.ts';
import { OFFSET_ARGS, OFFSET_INSTRUCTION_POINTER } from '../facts/seccomp.ts';
import type { ResolvedCondition, ResolvedTest } from '../policy/resolved.ts';
import type { Decision, WordOperator } from './decision.ts';

/** `condition ? yes : no`, short-circuited; `yes` and `no` are shared, never copied. */
export function lowerCondition(condition: ResolvedCondition, yes: Decision, no: Decision): Decision {
  switch (condition.kind) {
    case 'and':
      return condition.operands.reduceRight((rest: Decision, each) => lowerCondition(each, rest, no), yes);
    case 'or':
      return condition.operands.reduceRight((rest: Decision, each) => lowerCondition(each, yes, rest), no);
    case 'not':
      return lowerCondition(condition.operand, no, yes);
    default:
      return lowerTest(condition, yes, no);
  }
}

function lowerTest(test: ResolvedTest, yes: Decision, no: Decision): Decision {
  switch (test.operator) {
    case '!=':
      return lowerOperator(test, '==', no, yes);
    case '<':
      return lowerOperator(test, '>=', no, yes);
    case '<=':
      return lowerOperator(test, '>', no, yes);
    default:
      return lowerOperator(test, test.operator, yes, no);
  }
}

function lowerOperator(test: ResolvedTest, operator: WordOperator, yes: Decision, no: Decision): Decision {
  const offset = test.argument === 'ip' ? OFFSET_INSTRUCTION_POINTER : OFFSET_ARGS + 8 * test.argument;
  const low = word(offset, lowHalf(test.mask), operator, lowHalf(test.value), yes, no);
  if (test.width === 32) return low;
  const high = { offset: offset + 4, mask: highHalf(test.mask), value: highHalf(test.value) };
  const equal = word(high.offset, high.mask, '==', high.value, low, no);
  return operator === '==' ? equal : word(high.offset, high.mask, '>', high.value, yes, equal);
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
