import { ProgramError } from '../base/errors.ts';
import { SECCOMP_RET_ACTION_FULL, type SeccompData } from '../facts/seccomp.ts';
import type { Program } from './instruction.ts';
import { interpret, type Outcome } from './interpret.ts';

export interface StackOutcome extends Outcome {
  /** Index of the program whose action it is: the newest of those with the most restrictive action. */
  readonly decidedBy: number;
}

/**
 * Runs programs that are in force together on one call, as the kernel does: all of them run, and the most restrictive action wins. Actions
 * are compared as signed numbers without their data, so that kill_process is less than kill_thread; among equal ones the newest program's
 * data is taken.
 *
 * @param stack - newest first, at least one
 * @returns `steps` of all programs together
 * @see kernel/seccomp.c seccomp_run_filters (v6.18)
 */
export function interpretStack(stack: readonly Program[], data: SeccompData): StackOutcome {
  const outcomes = stack.map((program) => interpret(program, data));
  const [newest] = outcomes;
  if (newest === undefined) throw new ProgramError('bad_length', 'no program to run');
  let decidedBy = 0;
  let { action } = newest;
  outcomes.forEach((outcome, index) => {
    if (rank(outcome.action) >= rank(action)) return;
    decidedBy = index;
    action = outcome.action;
  });
  return { action, decidedBy, steps: outcomes.reduce((sum, { steps }) => sum + steps, 0) };
}

function rank(action: number): number {
  return (action & SECCOMP_RET_ACTION_FULL) | 0;
}
