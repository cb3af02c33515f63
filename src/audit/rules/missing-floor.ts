import type { LintRule } from '../finding.ts';
import { denies } from '../outcomes.ts';
import { eachAbi } from '../stance.ts';

/** What stops without them. Sources: kernel/signal.c (restart_syscall), sigreturn(2), exit_group(2), _exit(2). */
const NEEDED: Readonly<Record<string, string>> = {
  exit_group: 'the process cannot end: exit(3) goes round for ever or crashes',
  exit: 'a thread cannot end',
  rt_sigreturn: 'no signal handler can return',
  restart_syscall: 'a sleep that a stop interrupts fails',
};

/** Calls without which no program ends or goes on. */
export const missingFloor: LintRule = {
  id: 'missing-floor',
  severity: 'warning',
  why: 'these calls are never made by choice, and any program may need them',
  todo: 'allow exit, exit_group, rt_sigreturn and restart_syscall without a condition',
  source: 'sigreturn(2), restart_syscall(2), exit_group(2)',
  judge: (subject) =>
    eachAbi(subject, ({ arch }, stance) =>
      Object.entries(NEEDED)
        .filter(([name]) => stance.isLimited(name))
        .map(([name, harm]) => ({
          message: `${name} is refused: ${harm}`,
          severity: name === 'exit_group' ? ('error' as const) : ('warning' as const),
          arch,
          place: stance.place(name, denies),
        })),
    ),
};
