/**
 * What the code of all machines that puts `paths:` in force has in common. It asks the kernel for its ABI, makes a ruleset that handles all rights known to both,
 * opens every path, adds a rule for it and restricts the calling thread, which has no_new_privs by then.
 *
 * Every answer is checked. What an outer filter answers in the kernel's place is found out by asking the same call for what the kernel must refuse: openat(2) of
 * an empty path is ENOENT, landlock_restrict_self(2) with ruleset -1 is EBADF. The other calls need no proof: without the kernel's work there are fewer rights
 * (landlock_add_rule, fstat), or a ruleset that is none (landlock_create_ruleset).
 */

/** What is being tried when something fails, as messages name it. */
export const LANDLOCK_STEPS = {
  landlock: 'Landlock',
  landlockAbi: 'the Landlock ABI that paths: needs',
  landlockProof: 'the proof of Landlock',
  openProof: 'the proof of openat',
} as const;
export type LandlockStep = keyof typeof LANDLOCK_STEPS;

export const PATH_TEXT = 'paths: \0';
export const TASK_FOLDER = '/proc/self/task\0';

/** The program around the code. */
export interface LandlockHost {
  /** Emits what notes the step for messages. */
  readonly step: (step: LandlockStep) => void;
  /** Where to go with the answer that is wrong. */
  readonly failed: string;
  /** The same, for the path of the rule that is being added. */
  readonly failedPath: string;
}

export const O_PATH_CLOEXEC: number = 0o10000000 | 0o2000000;
export const S_IFMT = 0o170000;
export const S_IFDIR = 0o040000;
// include/uapi/asm-generic/errno-base.h and errno.h.
export const ENOENT = 2;
export const EBADF = 9;
export const EOPNOTSUPP = 95;
