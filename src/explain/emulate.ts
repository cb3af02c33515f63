import type { SeccompData } from '../facts/seccomp.ts';
import { syscallNumber } from '../facts/syscalls.ts';
import { PR_GET_SECCOMP, SECCOMP_MODE_DISABLED } from '../kernel/abi.ts';
import { abiOf, callKey, effectOf, type ObservedArch } from '../observe/abi.ts';
import { installationOf, readInstallation } from '../observe/installation.ts';
import type { OwnFilters } from './own-filters.ts';

/** Calls that are answered instead of being made, so that a program believes in its filters; and those that pass them on. */

const ABIS: readonly ObservedArch[] = ['x86_64', 'i386', 'x32'];

/** By `callKey`. */
function keysOf(...names: readonly string[]): ReadonlySet<number> {
  const keys = ABIS.flatMap((arch) =>
    names.flatMap((name) => {
      const nr = syscallNumber(arch, name);
      return nr === undefined ? [] : [callKey(arch, nr)];
    }),
  );
  return new Set(keys);
}

const CLONES = keysOf('clone', 'clone3', 'fork', 'vfork');
const PRCTL = keysOf('prctl');

export interface Emulation {
  readonly filters: OwnFilters;
  /** Whether a policy is in force from the beginning. */
  readonly hasPolicy: boolean;
}

/**
 * What a permitted call returns if the kernel is not to make it. No filter is really installed: the kernel would keep from us what it denies.
 *
 * @returns the result or -errno; undefined for a call that the kernel shall make
 */
export function emulatedResult({ filters, hasPolicy }: Emulation, tid: number, data: SeccompData): number | undefined {
  const arch = abiOf(data.arch, data.nr);
  if (arch === undefined) return undefined;
  const key = callKey(arch, data.nr);
  const effect = effectOf(key);
  if (CLONES.has(key)) filters.beforeClone(tid);
  else if (effect === 'exec') filters.beforeExec(tid);
  else if (effect !== undefined) filters.beforeExit(tid, effect === 'exit_group');
  else if (PRCTL.has(key) && Number((data.args[0] ?? 0n) & 0xffff_ffffn) === PR_GET_SECCOMP)
    // Else the kernel tells of the filter that notifies us.
    return hasPolicy || filters.programsOf(tid).length > 1 ? undefined : SECCOMP_MODE_DISABLED;
  return install(filters, tid, data);
}

function install(filters: OwnFilters, tid: number, data: SeccompData): number | undefined {
  const call = installationOf(data);
  if (call === undefined) return undefined;
  const { program, errno } = readInstallation(tid, call);
  if (errno === undefined) {
    // Its memory is closed to us: then it shall be in force for real.
    filters.missed();
    return undefined;
  }
  if (errno !== 0 || program === undefined) return -errno;
  return filters.install(tid, program, call.flags);
}
