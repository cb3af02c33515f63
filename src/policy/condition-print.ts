import type { Condition, Constant, ConstantTerm, Field, Test } from './model.ts';
import { printNumber } from './number.ts';

/** Writes a condition so that `parseCondition` gives it back; masks always stand in parentheses. */
export function printCondition(condition: Condition): string {
  const only = single(condition);
  switch (only.kind) {
    case 'and':
      return only.operands.map((each) => wrap(each, ['or'])).join(' && ');
    case 'or':
      return only.operands.map((each) => wrap(each, [])).join(' || ');
    case 'not':
      return `not ${wrap(only.operand, ['and', 'or', 'not'])}`;
    default:
      return printTest(only);
  }
}

/** `and` and `or` of one operand are that operand. */
function single(condition: Condition): Condition {
  if (condition.kind !== 'and' && condition.kind !== 'or') return condition;
  const [first] = condition.operands;
  return condition.operands.length === 1 && first ? single(first) : condition;
}

function wrap(condition: Condition, kinds: readonly string[]): string {
  const text = printCondition(condition);
  return kinds.includes(single(condition).kind) ? `(${text})` : text;
}

function printTest(test: Test): string {
  const field = printField(test.field);
  if (test.kind === 'compare') return `${field} ${test.operator} ${printConstant(test.constant)}`;
  return `${field} ${test.kind} [${test.constants.map(printConstant).join(', ')}]`;
}

function printField(field: Field): string {
  const width = field.width === 'raw' ? 'raw' : `u${field.width}`;
  const argument = field.width === undefined ? field.argument : `${width}(${field.argument})`;
  return field.mask === undefined ? argument : `(${argument} & ${printConstant(field.mask)})`;
}

/** Writes a constant: `O_RDONLY|O_CLOEXEC`, `~(0x3|A)`, `-1`. */
export function printConstant(constant: Constant): string {
  return constant.map(printTerm).join('|');
}

function printTerm(term: ConstantTerm): string {
  const { value } = term;
  const text =
    typeof value === 'bigint'
      ? printNumber(value, term.base)
      : typeof value === 'string'
        ? value
        : `(${printConstant(value)})`;
  return `${term.sign ?? ''}${text}`;
}
