import type { ArchName } from '../../facts/arches.ts';
import { errnoNumber } from '../../facts/errnos.ts';
import { compareReleases, largestNumber, syscallNumber, syscallRelease } from '../../facts/syscalls.ts';
import type { Action } from '../../policy/model.ts';
import type { Entry } from './profile.ts';

/**
 * The release that says what runc's stub says. runc puts a stub before every program whose default is a refusal other than ENOSYS: on each ABI, numbers above the largest that the profile
 * names get ENOSYS, so that libc falls back. `kernel` and `unknown` of a policy say the same where one release has these largest numbers.
 *
 * @returns `kernel` where it can be said, `false` where it cannot, `undefined` where there is no stub
 * @see runc libcontainer/seccomp/patchbpf/enosys_linux.go
 */
export function enosysKernel(
  entries: readonly Entry[],
  defaultAction: Action,
  arches: readonly ArchName[],
): string | false | undefined {
  if (['allow', 'log', 'trace'].includes(defaultAction.kind)) return undefined;
  if (defaultAction.kind === 'errno' && defaultAction.errno === errnoNumber(arches[0] as ArchName, 'ENOSYS'))
    return undefined;
  const names = [...new Set(entries.flatMap((entry) => entry.names.map(({ name }) => name)))];
  const largest = arches.map((arch) => largestOf(names, arch));
  if (largest.every((name) => name === undefined)) return undefined;
  // There, setup(2) gets ENOSYS too, which stands for numbers that the kernel does not know.
  if (arches.includes('s390x') || largest.includes(undefined)) return false;
  const releases = arches.map((arch, index) => syscallRelease(arch, largest[index] as string));
  if (releases.includes(undefined)) return false;
  const newest = (releases as string[]).reduce((one, other) => (compareReleases(one, other) < 0 ? other : one));
  const exact = arches.every(
    (arch, index) => largestNumber(arch, newest) === syscallNumber(arch, largest[index] as string),
  );
  return exact && newest;
}

/** The name with the largest number. */
function largestOf(names: readonly string[], arch: ArchName): string | undefined {
  const numberOf = (name: string): number => syscallNumber(arch, name) ?? -1;
  const name = names.reduce((one, other) => (numberOf(one) < numberOf(other) ? other : one), names[0] ?? '');
  return syscallNumber(arch, name) === undefined ? undefined : name;
}
