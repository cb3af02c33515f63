import { fileRights, LEAST_ABI, NEWEST_FILE_ABI, type PathRules } from '../../facts/landlock.ts';
import type { Feature } from '../../kernel/features.ts';
import type { ExtraVerdict } from './tracing.ts';

/** Whether `paths:` can be put in force here, which policies without them do not need. */

/** For the trial: the program reads nothing. */
export const TRIAL_PATHS: PathRules = {
  abi: LEAST_ABI,
  rules: [{ path: '/', rights: fileRights(({ lists }) => lists.includes('execute')), isOptional: false }],
};

/** @param fault - how a program that was sealed with TRIAL_PATHS failed */
export function judgePaths(features: readonly Feature[], fault: string | undefined): ExtraVerdict {
  const landlock = features.find(({ name }) => name === 'Landlock');
  const abi = Number(/^ABI (\d+)$/.exec(landlock?.detail ?? '')?.[1] ?? 0);
  if (fault === undefined) {
    const note = abi < NEWEST_FILE_ABI ? `ABI ${abi}: ioctl(2) on devices is not refused` : undefined;
    return { works: true, because: undefined, todo: undefined, note };
  }
  const no = (because: string, todo: string): ExtraVerdict => ({ works: false, because, todo, note: undefined });
  if (landlock?.answer === 'yes' && abi < LEAST_ABI)
    return no(
      `Landlock has ABI ${abi} here, ${LEAST_ABI} is wanted`,
      `Linux 6.2 or newer, or paths: with "abi: ${abi}"`,
    );
  if (landlock?.answer === 'no')
    return no(
      `this kernel has no Landlock: ${landlock.detail}`,
      'Linux 6.2 or newer, with landlock in its lsm= parameter, or a policy without paths:',
    );
  return no(fault, 'permit landlock_create_ruleset, landlock_add_rule and landlock_restrict_self in the outer filter');
}
