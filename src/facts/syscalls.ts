/** Names, numbers and releases of system calls. Numbers of x32 include its bit, as `struct seccomp_data` shows them. */

import { ARCHES, type ArchName } from './arches.ts';
import { NUMBERS_AARCH64 } from './tables/z-numbers-aarch64.ts';
import { NUMBERS_ARM } from './tables/z-numbers-arm.ts';
import { NUMBERS_I386 } from './tables/z-numbers-i386.ts';
import { NUMBERS_LOONGARCH64 } from './tables/z-numbers-loongarch64.ts';
import { NUMBERS_MIPS64EL } from './tables/z-numbers-mips64el.ts';
import { NUMBERS_PPC64LE } from './tables/z-numbers-ppc64le.ts';
import { NUMBERS_RISCV64 } from './tables/z-numbers-riscv64.ts';
import { NUMBERS_S390X } from './tables/z-numbers-s390x.ts';
import { NUMBERS_X32 } from './tables/z-numbers-x32.ts';
import { NUMBERS_X86_64 } from './tables/z-numbers-x86-64.ts';
import { ARCH_SINCE, RELEASES, RELEASES_BY_ARCH } from './tables/z-releases.ts';

/** Newest release whose calls are complete here; some of later ones are known too. */
export const LATEST_RELEASE = '6.18';

const NUMBERS: { readonly [K in ArchName]: { readonly [name: string]: number } } = {
  x86_64: NUMBERS_X86_64,
  i386: NUMBERS_I386,
  x32: NUMBERS_X32,
  aarch64: NUMBERS_AARCH64,
  arm: NUMBERS_ARM,
  loongarch64: NUMBERS_LOONGARCH64,
  mips64el: NUMBERS_MIPS64EL,
  ppc64le: NUMBERS_PPC64LE,
  riscv64: NUMBERS_RISCV64,
  s390x: NUMBERS_S390X,
};

/** ARM's private calls (set_tls and its kin) begin here: they say nothing about how new a kernel is. */
const PRIVATE_NUMBERS = 0x0f_0000;

const nameTables = new Map<ArchName, Map<number, string>>();
const releaseTables = new Map<ArchName, readonly ReleaseNumbers[]>();
const sortedNames = new Map<ArchName, readonly string[]>();
let union: readonly string[] | undefined;

/** Number of a call, undefined where the arch has none of that name. Source: asm/unistd_*.h. */
export function syscallNumber(arch: ArchName, name: string): number | undefined {
  const table = NUMBERS[arch];
  if (!Object.hasOwn(table, name)) return undefined;
  return (table[name] as number) + ARCHES[arch].numberOffset;
}

function nameTable(arch: ArchName): Map<number, string> {
  let table = nameTables.get(arch);
  if (table === undefined) {
    table = new Map();
    for (const [name, number] of Object.entries(NUMBERS[arch])) table.set(number + ARCHES[arch].numberOffset, name);
    nameTables.set(arch, table);
  }
  return table;
}

/** Name of a number as seccomp sees it (with the x32 bit), undefined where unknown. */
export function syscallName(arch: ArchName, nr: number): string | undefined {
  return nameTable(arch).get(nr);
}

/** Every call of the arch, sorted by name. */
export function syscallNames(arch: ArchName): readonly string[] {
  let names = sortedNames.get(arch);
  if (names === undefined) {
    names = Object.keys(NUMBERS[arch]).sort();
    sortedNames.set(arch, names);
  }
  return names;
}

/** Every call that any arch has, sorted by name. */
export function allSyscallNames(): readonly string[] {
  union ??= [...new Set(Object.values(NUMBERS).flatMap((table) => Object.keys(table)))].sort();
  return union;
}

/**
 * Release in which the arch got the call (`5.9`), never before the arch itself; undefined where the arch has no such call.
 * Before 2.6 it is the stable series (`1.0`, `2.4`). Source: syscalls(2) and the hand-kept file for what it lacks.
 */
export function syscallRelease(arch: ArchName, name: string): string | undefined {
  if (!Object.hasOwn(NUMBERS[arch], name)) return undefined;
  const special = RELEASES_BY_ARCH[arch];
  const release = special && Object.hasOwn(special, name) ? special[name] : RELEASES[name];
  const minimum = ARCH_SINCE[arch];
  if (release === undefined || minimum === undefined) return release;
  return compareReleases(release, minimum) < 0 ? minimum : release;
}

function parseRelease(release: string): number[] {
  if (!/^\d{1,4}\.\d{1,4}(?:\.\d{1,4})?$/.test(release)) {
    throw new RangeError(
      `Cannot read kernel release ${JSON.stringify(release)}: wanted VERSION.PATCHLEVEL, such as "6.1"`,
    );
  }
  return release.split('.').map(Number);
}

/** Below 0 where `a` is older than `b`, 0 where equal, above 0 where newer. Throws RangeError on a malformed release. */
export function compareReleases(a: string, b: string): number {
  const left = parseRelease(a);
  const right = parseRelease(b);
  for (let i = 0; i < 3; i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** A release that brought calls, and the largest number that the arch had from then on. */
export interface ReleaseNumbers {
  readonly release: string;
  readonly largest: number;
}

/** Releases in which the arch got calls, oldest first. */
export function callReleases(arch: ArchName): readonly ReleaseNumbers[] {
  const known = releaseTables.get(arch);
  if (known) return known;
  const largest = new Map<string, number>();
  for (const [name, number] of Object.entries(NUMBERS[arch])) {
    const since = syscallRelease(arch, name);
    if (since !== undefined && number < PRIVATE_NUMBERS) largest.set(since, Math.max(number, largest.get(since) ?? -1));
  }
  let sofar = -1;
  const sorted = [...largest].sort(([left], [right]) => compareReleases(left, right));
  const made = sorted.map(([release, number]) => {
    sofar = Math.max(sofar, number);
    return { release, largest: sofar + ARCHES[arch].numberOffset };
  });
  releaseTables.set(arch, made);
  return made;
}

/**
 * Largest number that the arch had in a release (with the x32 bit); -1 where the arch is younger. Numbers above it are what
 * programs that probe for newer calls may ask for. Throws RangeError on a malformed release.
 */
export function largestNumber(arch: ArchName, release: string): number {
  parseRelease(release);
  return callReleases(arch).findLast((each) => compareReleases(each.release, release) <= 0)?.largest ?? -1;
}
