import { type Selector, selectorsOf } from '../facts/selectors.ts';
import type { Evidence } from './evidence.ts';

/**
 * The values of a line's selectors, in their order. Undefined where not all are known: no condition, or one of another version whose table had fewer selectors.
 */
export function lineValues(
  line: Pick<Evidence, 'condition' | 'arch' | 'syscall'>,
  selectors: readonly Selector[] = selectorsOf(line.arch, line.syscall ?? ''),
): readonly bigint[] | undefined {
  const { condition } = line;
  if (condition === null || selectors.length === 0) return undefined;
  const values = selectors.flatMap(({ argument, number, flags }) => {
    const value = Object.hasOwn(condition, argument) ? condition[argument] : undefined;
    return value === undefined ? [] : [value & (number | flags)];
  });
  return values.length === selectors.length ? values : undefined;
}
