import { PolicyError } from '../base/errors.ts';
import {
  fileRights,
  LEAST_ABI,
  listsOf,
  PATH_LISTS,
  type PathList,
  type PathRule,
  type PathRules,
} from '../facts/landlock.ts';
import type { PathEntry, Paths, Policy } from './model.ts';

/** What `paths:` means to Landlock: a rule for each path, with the rights of all lists that name it. It is optional where all of them say so. */
export function resolvePaths(paths: Paths): PathRules {
  const rules = new Map<string, { rights: number; isOptional: boolean }>();
  for (const list of PATH_LISTS)
    for (const { path, isOptional } of paths[list] ?? []) {
      const known = rules.get(path) ?? { rights: 0, isOptional: true };
      const rights = known.rights | fileRights(({ lists }) => lists.includes(list));
      rules.set(path, { rights, isOptional: known.isOptional && isOptional });
    }
  return { abi: leastAbi(paths), rules: [...rules].map(([path, rule]) => ({ path, ...rule })) };
}

/**
 * For what cannot put `paths:` in force: a policy with them is refused, never weakened in silence.
 *
 * @param why - behind "paths: "
 * @throws {PolicyError} `paths_not_enforceable`
 */
export function refusePaths({ paths }: Policy, why: string): void {
  if (!paths) return;
  const [first] = PATH_LISTS.flatMap((list) => paths[list] ?? []);
  throw new PolicyError('paths_not_enforceable', `paths: ${why}`, first?.place);
}

function leastAbi({ abi = LEAST_ABI }: Paths): number {
  return abi;
}

/**
 * What both permit: the entries of `left` in their order, and behind them what `right` has besides. A path that is optional in one is
 * in both, as each of them could be applied without it.
 *
 * @throws {PolicyError} `merge_differs` where they ask for different ABIs
 */
export function joinPaths(left: Paths, right: Paths): Paths {
  if (leastAbi(left) !== leastAbi(right)) {
    const both = `${leastAbi(left)} in one policy and ${leastAbi(right)} in the other`;
    throw new PolicyError('merge_differs', `cannot merge: "paths.abi" is ${both}`);
  }
  const abi = left.abi ?? right.abi;
  return { ...(abi !== undefined && { abi }), ...mapLists((list) => joinEntries(left[list] ?? [], right[list] ?? [])) };
}

/** The same paths in the order of the alphabet. */
export function sortPaths(paths: Paths): Paths {
  const byPath = (left: PathEntry, right: PathEntry): number => (left.path < right.path ? -1 : 1);
  return { ...paths, ...mapLists((list) => (paths[list] ?? []).toSorted(byPath)) };
}

/** Lists without entries are left out. */
function mapLists(entries: (list: PathList) => readonly PathEntry[]): Pick<Paths, PathList> {
  return Object.fromEntries(
    PATH_LISTS.map((list) => [list, entries(list)] as const).filter(([, all]) => all.length > 0),
  );
}

function joinEntries(left: readonly PathEntry[], right: readonly PathEntry[]): readonly PathEntry[] {
  const joined = new Map(left.map((entry) => [entry.path, entry]));
  for (const entry of right) {
    const known = joined.get(entry.path);
    joined.set(entry.path, known ? joinEntry(known, entry) : entry);
  }
  return [...joined.values()];
}

/** Of two different comments the lesser stays, so that order does not matter. */
function joinEntry(left: PathEntry, right: PathEntry): PathEntry {
  const commentBefore = lesser(left.commentBefore, right.commentBefore);
  const comment = lesser(left.comment, right.comment);
  return {
    ...left,
    isOptional: left.isOptional || right.isOptional,
    ...(commentBefore !== undefined && { commentBefore }),
    ...(comment !== undefined && { comment }),
  };
}

function lesser(left: string | undefined, right: string | undefined): string | undefined {
  if (left === undefined || right === undefined) return left ?? right;
  return left <= right ? left : right;
}

/** How the sides of a comparison are called. */
interface Sides {
  readonly left: string;
  readonly right: string;
}

/** Where two filters permit different things of files: one line each, in words. Absent rules: no Landlock. */
export function pathDifferences(
  left: PathRules | undefined,
  right: PathRules | undefined,
  names: Sides,
): readonly string[] {
  if (!left && !right) return [];
  if (!left || !right) {
    const [having, lacking] = left ? [names.left, names.right] : [names.right, names.left];
    return [`paths: only ${having} has them; ${lacking} permits all files`];
  }
  const abi =
    left.abi === right.abi ? [] : [`paths: abi is ${left.abi} in ${names.left}, ${right.abi} in ${names.right}`];
  return [...abi, ...ruleDifferences(left, right, names)];
}

function ruleDifferences(left: PathRules, right: PathRules, names: Sides): readonly string[] {
  const [inLeft, inRight] = [left, right].map(({ rules }) => new Map(rules.map((rule) => [rule.path, rule]))) as [
    Map<string, PathRule>,
    Map<string, PathRule>,
  ];
  return [...new Set([...inLeft.keys(), ...inRight.keys()])].sort().flatMap((path) => {
    const [one, other] = [inLeft.get(path), inRight.get(path)];
    const only = (mine: PathRule | undefined, theirs: PathRule | undefined, name: string): readonly string[] => {
      const lists = listsOf(mine?.rights ?? 0).filter((list) => !listsOf(theirs?.rights ?? 0).includes(list));
      return lists.length === 0 ? [] : [`paths: ${lists.join(', ')} ${path}: only in ${name}`];
    };
    const optional =
      one && other && one.isOptional !== other.isOptional
        ? [`paths: ${path}: optional in ${one.isOptional ? names.left : names.right} alone`]
        : [];
    return [...only(one, other, names.left), ...only(other, one, names.right), ...optional];
  });
}
