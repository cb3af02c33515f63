import { PolicyError } from '../../base/errors.ts';
import { ARCHES, type ArchName, NO_CALL } from '../../facts/arches.ts';
import type { Action, Policy, Rule } from '../../policy/model.ts';
import { resolvePolicy } from '../../policy/resolve.ts';
import { locator } from '../../policy/source.ts';
import { buildRules, nameErrno } from './build.ts';
import { enosysKernel } from './enosys.ts';
import { Fields } from './fields.ts';
import { parseJson } from './json.ts';
import { DOCKER_CAPS, MULTIPLEXED_ARCHES } from './names.ts';
import { type Profile, readProfile } from './profile.ts';
import { dependsOn, type ProfileOptions, selectEntries } from './select.ts';
import { noteWidths } from './widths.ts';

export interface ProfileReading {
  readonly policy: Policy;
  /** What a person should know: which reading was taken, what a policy cannot say, what was skipped. */
  readonly notes: readonly string[];
}

/** Whether a text is a seccomp profile: a JSON object with `defaultAction`, which no policy has. */
export function isProfile(text: string): boolean {
  return /^\s*\{/.test(text) && /"defaultAction"\s*:/i.test(text) && !/["']?selkie["']?\s*:/.test(text);
}

/**
 * Reads a seccomp profile of OCI, Docker or containers-common as runc with libseccomp does: the policy's program decides every call as the
 * one that they would install.
 *
 * @throws {PolicyError} the first fault with its place; `conflict` where rules of one call overlap with different actions
 */
export function readProfileText(text: string, options: ProfileOptions & { readonly file?: string }): ProfileReading {
  const notes = new Set<string>();
  const fields = new Fields(locator(text, options.file), notes);
  const profile = readProfile(parseJson(text, fields.locate), options.arch, fields);
  const arches = archesOf(profile, options.arch);
  const entries = selectEntries(profile, options, fields);
  noteOptions(profile, options, notes);
  const syscalls = buildRules(entries, profile.defaultAction, arches, fields);
  noteWidths(syscalls, arches, notes);
  const kernel = enosysKernel(entries, profile.defaultAction, arches);
  noteKernel(kernel, notes);
  const policy: Policy = {
    selkie: 1,
    sets: 1,
    arches,
    default: nameErrno(profile.defaultAction, arches),
    ...(kernel && { kernel, unknown: { kind: 'errno', errno: 'ENOSYS' } }),
    badArch: BAD_ARCH,
    syscalls: [...syscalls, ...noCallRule(profile.defaultAction, arches)],
  };
  checkOverlaps(policy);
  return { policy, notes: [...notes] };
}

/** SCMP_FLTATR_ACT_BADARCH, which runc leaves as it is. */
const BAD_ARCH: Action = { kind: 'kill_thread' };

/** Of the numbers that have the bit of x32, libseccomp's filters for x86_64 alone take -1 for one of theirs: a tracer's word for no call. */
function noCallRule(defaultAction: Action, arches: readonly ArchName[]): readonly Rule[] {
  const isSaid = arches.includes('x86_64') && !arches.includes('x32') && defaultAction.kind !== BAD_ARCH.kind;
  if (!isSaid) return [];
  return [
    {
      action: nameErrno(defaultAction, arches),
      call: { kind: 'number', number: NO_CALL },
      ...(arches.length > 1 && { only: 'x86_64' }),
    },
  ];
}

/** The native ABI is in every filter of libseccomp, listed or not. */
function archesOf({ architectures }: Profile, native: ArchName): readonly ArchName[] {
  const arches = [...new Set([native, ...architectures.filter((arch) => arch !== undefined)])];
  const [little, big] = [true, false].map((order) => arches.find((arch) => ARCHES[arch].littleEndian === order));
  if (little && big)
    refuseMixture(`${little} and ${big} have different byte orders, which libseccomp refuses in one filter`);
  const [first, second] = arches.filter((arch) => MULTIPLEXED_ARCHES.includes(arch));
  if (second) refuseMixture(`${first} and ${second} have socketcall(2) for different calls`);
  return arches;
}

function refuseMixture(problem: string): never {
  throw new PolicyError('bad_value', `${problem}: list the ABIs of one machine`);
}

/** Rules that meet with different actions: which one libseccomp takes is nothing that a profile says. */
function checkOverlaps(policy: Policy): void {
  try {
    resolvePolicy(policy);
  } catch (error) {
    if (!(error instanceof PolicyError) || error.code !== 'conflict') throw error;
    const problem = `${error.problem} (libseccomp refuses such rules or takes one of them, by their order)`;
    throw new PolicyError('conflict', problem, error.place, { cause: error });
  }
}

function noteOptions(profile: Profile, { arch, caps, kernel }: ProfileOptions, notes: Set<string>): void {
  const depends = dependsOn(profile);
  const granted =
    String([...caps].sort()) === String([...DOCKER_CAPS].sort()) ? "Docker's default ones" : caps.join(', ');
  notes.add(`read as runc on ${arch} reads it`);
  if (depends.caps) notes.add(`rules for capabilities: read for ${granted || 'none'}`);
  if (depends.kernel) notes.add(`rules for kernels: read for ${kernel}`);
}

function noteKernel(kernel: string | false | undefined, notes: Set<string>): void {
  if (kernel === undefined) return;
  notes.add(
    kernel === false
      ? 'runc answers ENOSYS to numbers above the largest that the profile names; this policy gives them the default, as crun does'
      : `"kernel" and "unknown" are what runc adds: ENOSYS above the largest number that the profile names`,
  );
}
