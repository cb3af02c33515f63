import type { LoadedFilter } from '../load/filter.ts';
import { pathDifferences } from '../policy/paths.ts';

/** How two filters differ in `paths:`, and what could not be compared. */
export interface PathComparison {
  readonly differences: readonly string[];
  readonly notes: readonly string[];
}

/** A program of seccomp holds no paths, and a process does not show its own. */
export function comparePaths(
  left: LoadedFilter,
  right: LoadedFilter,
  names: { readonly left: string; readonly right: string },
): PathComparison {
  const isKnown = ({ kind }: LoadedFilter): boolean => kind === 'policy' || kind === 'sealed';
  if (isKnown(left) && isKnown(right))
    return { differences: pathDifferences(left.paths, right.paths, names), notes: [] };
  const owner = left.paths ? names.left : right.paths ? names.right : undefined;
  if (owner === undefined) return { differences: [], notes: [] };
  return { differences: [], notes: [`the paths of ${owner} are not compared: the other side does not show any`] };
}
