import type { Danger } from '../facts/dangers.ts';
import type { Selector } from '../facts/selectors.ts';

/**
 * From calls that were seen to the arguments that a policy permits. The rule, for the calls of one name and ABI:
 *
 * - Numbers (`domain`, `cmd`, `request`, the access mode in `flags`) are permitted in the combinations in which they were seen: no number and no
 *   combination is new.
 * - Flags are permitted when, among calls of the same numbers, each of them was seen: "only these bits". Their combinations may be new, but for those that the table
 *   calls dangerous (PROT_WRITE with PROT_EXEC): these must have been seen together.
 * - No ranges: no number of the table means more by being larger.
 *
 * It is sound: every call that was seen is permitted (its numbers are a combination that was seen, its flags are among those of that combination, and what
 * dangerous it has, it was seen with), and no call with a number, flag or dangerous combination that was never seen is.
 */

/** Calls of one kind that were seen: values in the order of the selectors. */
export interface Sample {
  readonly values: readonly bigint[];
  readonly count: number;
}

/** What a box permits of one selector. */
export interface Part {
  /** Ascending. */
  readonly numbers: readonly bigint[];
  readonly flags: bigint;
}

/** Permits what has one of the numbers and no other flags in each of its parts, and none of `without`. */
export interface Box {
  readonly parts: readonly Part[];
  readonly without: readonly Danger[];
  readonly samples: readonly Sample[];
}

export interface Generalisation {
  /** Alternatives; no call is in two of them. */
  readonly boxes: readonly Box[];
  readonly neverSeen: readonly Danger[];
}

/** Applies the rule. @param samples - of one call; the boxes keep them as evidence */
export function generalise(
  selectors: readonly Selector[],
  dangers: readonly Danger[],
  samples: readonly Sample[],
): Generalisation {
  const groups = groupBy(samples, ({ values }) => selectors.map(({ number }, at) => of(values, at) & number).join());
  const boxes = [...groups.values()].map((group) => boxOf(selectors, dangers, group));
  // From the last selector on: it is the first that says most (domain, level).
  const joined = selectors.reduceRight<readonly Box[]>((list, _, at) => joinBoxes(list, at), boxes);
  const neverSeen = dangers.filter((danger) => !samples.some(({ values }) => isIn(danger, selectors, values)));
  return { boxes: joined, neverSeen };
}

/** Whether a box permits values. */
export function permits({ parts, without }: Box, selectors: readonly Selector[], values: readonly bigint[]): boolean {
  const fits = parts.every(({ numbers, flags }, at) => {
    const { number, flags: all } = selectors[at] as Selector;
    return numbers.includes(of(values, at) & number) && (of(values, at) & all & ~flags) === 0n;
  });
  return fits && !without.some((danger) => isIn(danger, selectors, values));
}

const of = (values: readonly bigint[], at: number): bigint => values[at] ?? 0n;

/** Whether values have all that a danger names: its number where it has one, and all of its flags. */
export function isIn({ values: wanted }: Danger, selectors: readonly Selector[], values: readonly bigint[]): boolean {
  return selectors.every(({ argument, number, flags }, at) => {
    const value = wanted.get(argument);
    if (value === undefined) return true;
    const hasNumber = flags === 0n || (value & number) !== 0n;
    return (
      (!hasNumber || ((of(values, at) ^ value) & number) === 0n) && (of(values, at) & value & flags) === (value & flags)
    );
  });
}

/** Of samples that have the same numbers. */
function boxOf(selectors: readonly Selector[], dangers: readonly Danger[], samples: readonly Sample[]): Box {
  const parts = selectors.map(({ number, flags }, at) => ({
    numbers: [of(samples[0]?.values ?? [], at) & number],
    flags: samples.reduce((all, { values }) => all | (of(values, at) & flags), 0n),
  }));
  // The largest call of the box: what is in no part of it needs no test.
  const largest = parts.map(({ numbers, flags }) => (numbers[0] ?? 0n) | flags);
  const without = dangers.filter(
    (danger) => isIn(danger, selectors, largest) && !samples.some(({ values }) => isIn(danger, selectors, values)),
  );
  return { parts, without, samples };
}

/** Boxes that differ in the numbers of one selector alone are one box: what they permit stays the same. */
function joinBoxes(boxes: readonly Box[], at: number): readonly Box[] {
  const groups = groupBy(boxes, ({ parts, without }) => {
    const rest = parts.map(({ numbers, flags }, index) => `${index === at ? '' : numbers.join('|')};${flags}`);
    return [...rest, ...without.map(({ name }) => name)].join();
  });
  return [...groups.values()].map((group) => {
    const [first] = group as [Box];
    const numbers = group.flatMap(({ parts }) => parts[at]?.numbers ?? []).sort((a, b) => (a < b ? -1 : 1));
    const parts = first.parts.map((part, index) => (index === at ? { ...part, numbers } : part));
    return { ...first, parts, samples: group.flatMap(({ samples }) => samples) };
  });
}

function groupBy<T>(items: readonly T[], key: (item: T) => string): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(key(item), [...(groups.get(key(item)) ?? []), item]);
  return groups;
}
