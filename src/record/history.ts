/**
 * How runs followed each other: which of them brought something new, a call that the policy made of those before does not permit. From that
 * alone comes a bound on the chance that a further run does.
 */
export interface History {
  /** All runs, those of which nothing else is known included. */
  readonly runs: number;
  /** For each run that brought something new, the first one included, in their order: how many runs directly behind it brought nothing. */
  readonly quiet: readonly number[];
}

/** A whole run more. */
export function addRun(history: History | undefined, isNew: boolean): History {
  const { runs, quiet } = history ?? { runs: 0, quiet: [] };
  if (isNew || quiet.length === 0) return { runs: runs + 1, quiet: [...quiet, 0] };
  return { runs: runs + 1, quiet: [...quiet.slice(0, -1), (quiet.at(-1) ?? 0) + 1] };
}

/** What is promised of the bound: it holds with this probability, at whatever moment one stops to record. */
export const CONFIDENCE = 0.95;

/**
 * An upper bound on the chance that a further run, drawn as these were, brings something new.
 *
 * After the i-th run that brought something new the policy stays as it is for a while, and p_i is the chance that a run leaves it. That L runs
 * in a row do not has the probability (1 - p_i)^L, so p_i <= 1 - a_i^(1/L) is wrong with probability a_i at most, whenever one looks: the least
 * L for which it would be wrong must be reached (the "rule of three" for one i). The a_i = a / (i (i + 1)) add up to a = 1 - CONFIDENCE, so
 * that all of them are right at once with CONFIDENCE. A policy only grows, and no later p exceeds an earlier one: the least bound counts.
 *
 * @returns 0..1; 1 says nothing
 */
export function newRunBound({ quiet }: History): number {
  const bounds = quiet.map((length, index) => {
    const allowed = (1 - CONFIDENCE) / ((index + 1) * (index + 2));
    return length === 0 ? 1 : 1 - allowed ** (1 / length);
  });
  return Math.min(1, ...bounds);
}
