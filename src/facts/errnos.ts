/** Error numbers per arch, and what they mean. Sources: asm/errno.h, errno(3). */

import type { ArchName } from './arches.ts';
import { ERRNO_TEXTS, ERRNOS, ERRNOS_BY_ARCH } from './tables/z-errnos.ts';

// Second names of a number; the first name is the one to print.
const SECOND_NAMES: ReadonlySet<string> = new Set(['EWOULDBLOCK', 'EDEADLOCK', 'ENOTSUP']);
const names = new Map<ArchName, ReadonlyMap<number, string>>();

/** Number of an errno's name (`EPERM` -> 1), undefined where the arch has none. */
export function errnoNumber(arch: ArchName, name: string): number | undefined {
  const own = ERRNOS_BY_ARCH[arch];
  if (own !== undefined && Object.hasOwn(own, name)) return own[name] ?? undefined;
  return Object.hasOwn(ERRNOS, name) ? (ERRNOS[name] ?? undefined) : undefined;
}

/** Every errno's name, sorted. */
export function errnoNames(arch: ArchName): readonly string[] {
  return Object.keys(ERRNOS).filter((name) => errnoNumber(arch, name) !== undefined);
}

/** Name of an errno's number; EAGAIN rather than EWOULDBLOCK. */
export function errnoName(arch: ArchName, nr: number): string | undefined {
  let table = names.get(arch);
  if (table === undefined) {
    const built = new Map<number, string>();
    const all = errnoNames(arch);
    // Second names first: they stay where they have a number of their own (EDEADLOCK of mips64el).
    for (const name of [
      ...all.filter((each) => SECOND_NAMES.has(each)),
      ...all.filter((each) => !SECOND_NAMES.has(each)),
    ])
      built.set(errnoNumber(arch, name) as number, name);
    table = built;
    names.set(arch, table);
  }
  return table.get(nr);
}

/** What errno(3) says of a number on `arch` (x86_64 where left out), such as `Operation not permitted`. */
export function errnoText(nr: number, arch: ArchName = 'x86_64'): string | undefined {
  const name = errnoName(arch, nr);
  return name === undefined ? undefined : ERRNO_TEXTS[name];
}
