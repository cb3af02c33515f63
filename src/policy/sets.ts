import { FLOORS } from '../facts/floors.ts';
import { EDITION_1 } from './sets/edition-1.ts';
import type { NamedSet, SetMember } from './sets/named-set.ts';

/** Editions never change, and all of them stay. */
const EDITIONS: ReadonlyMap<number, readonly NamedSet[]> = new Map([[1, [...EDITION_1, ...floors()]]]);

function floors(): NamedSet[] {
  return Object.entries(FLOORS).map(([name, members]) => {
    const about =
      name === 'fallback' ? 'calls whose callers fall back on ENOSYS' : `what the ${name} runtime may call at any time`;
    return { name, about, members };
  });
}

/**
 * All sets of an edition, in the order in which they are shown.
 *
 * @throws {RangeError} for an edition that does not exist
 */
export function sets(edition: number): readonly NamedSet[] {
  const found = EDITIONS.get(edition);
  if (!found) throw new RangeError(`there is no edition ${edition} of the named sets: wanted 1`);
  return found;
}

/** Names of the sets of an edition, without `@`. */
export function setNames(edition: number): readonly string[] {
  return sets(edition).map(({ name }) => name);
}

/** The calls of a set with their reasons; undefined for a set that the edition lacks. `name` is without `@`. */
export function setMembers(edition: number, name: string): readonly SetMember[] | undefined {
  return sets(edition).find((set) => set.name === name)?.members;
}
