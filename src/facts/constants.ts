/** Integer constants of the ABI per arch: macros and enumerators of the uapi headers, and the kernel's socket names. */

import type { ArchName } from './arches.ts';
import { CONSTANTS } from './tables/z-constants.ts';
import { CONSTANTS_AARCH64 } from './tables/z-constants-aarch64.ts';
import { CONSTANTS_I386 } from './tables/z-constants-i386.ts';
import { CONSTANTS_X32 } from './tables/z-constants-x32.ts';
import { CONSTANTS_X86_64 } from './tables/z-constants-x86-64.ts';

type Table = { readonly [name: string]: number | bigint | null };

/** What differs from the common table; null: the arch has no such name. */
const DIFFERENCES: { readonly [K in ArchName]: Table } = {
  x86_64: CONSTANTS_X86_64,
  i386: CONSTANTS_I386,
  x32: CONSTANTS_X32,
  aarch64: CONSTANTS_AARCH64,
};

const printing = new Map<string, ReadonlyMap<bigint, string>>();

/** Value as the C constant has it (AT_FDCWD is -100n), undefined where the arch has none of that name. */
export function constant(arch: ArchName, name: string): bigint | undefined {
  const own = DIFFERENCES[arch];
  const table: Table = Object.hasOwn(own, name) ? own : CONSTANTS;
  if (!Object.hasOwn(table, name)) return undefined;
  const value = table[name];
  return value === null || value === undefined ? undefined : BigInt(value);
}

/** Every constant of the arch, sorted by name. */
export function* constantNames(arch: ArchName): Iterable<string> {
  for (const name of Object.keys(CONSTANTS)) if (DIFFERENCES[arch][name] !== null) yield name;
}

/** Names that close a list or mask it are poor names for a value. */
const POOR = /(?:_MAX|_MIN|_MASK|_LAST|_NUM|_ALL|_SIZE|_BITS|_LOCK)\d*$|^__|_OLD$/;

function namesOf(arch: ArchName, prefix: string): ReadonlyMap<bigint, string> {
  const key = `${arch}:${prefix}`;
  const known = printing.get(key);
  if (known !== undefined) return known;
  const names = new Map<bigint, string>();
  for (const name of constantNames(arch)) {
    const matches = prefix.startsWith('_') ? name.endsWith(prefix) : name.startsWith(prefix);
    const value = matches ? constant(arch, name) : undefined;
    if (value === undefined) continue;
    const present = names.get(value);
    if (present === undefined || (POOR.test(present) && !POOR.test(name))) names.set(value, name);
  }
  printing.set(key, names);
  return names;
}

/**
 * A name for a value among the constants of a prefix (`AF_`; a prefix that begins with `_` is a suffix: `_OK`). The first by
 * name where several have the value, names such as AF_MAX last.
 */
export function constantName(arch: ArchName, prefix: string, value: bigint): string | undefined {
  return namesOf(arch, prefix).get(value);
}
