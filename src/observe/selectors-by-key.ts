import { type Selector, selectorsOf } from '../facts/selectors.ts';
import { syscallName } from '../facts/syscalls.ts';
import type { SelectorsByKey } from './arguments.ts';

/** The table of selectors for the loop that counts calls: apart, as it brings the tables of names, which nothing else there needs. */

const byKey = new Map<number, readonly Selector[] | undefined>();

export const selectorsByKey: SelectorsByKey = (key, arch, nr) => {
  if (byKey.has(key)) return byKey.get(key);
  const selectors = selectorsOf(arch, syscallName(arch, nr) ?? '');
  const found = selectors.length === 0 ? undefined : selectors;
  byKey.set(key, found);
  return found;
};
