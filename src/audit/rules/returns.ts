import {
  MAX_ERRNO,
  SECCOMP_RET_ALLOW,
  SECCOMP_RET_ERRNO,
  SECCOMP_RET_KILL_THREAD,
  SECCOMP_RET_TRACE,
  SECCOMP_RET_USER_NOTIF,
} from '../../facts/seccomp.ts';
import type { Found, LintRule } from '../finding.ts';
import { dataOf, isKnown, kindOf } from '../outcomes.ts';
import type { Subject } from '../subject.ts';

/** One finding for each action for which `holds`, at the first rule that gives it; where only calls of other ABIs get it, a note. */
function actionRule(
  rule: Omit<LintRule, 'judge'>,
  holds: (action: number) => boolean,
  say: (action: number) => string,
): LintRule {
  const judge = (subject: Subject): readonly Found[] => {
    const actions = subject.outcomes.of(subject.root).filter(holds);
    const rules = subject.resolved?.arches.flatMap(({ calls }) => [...calls.values()].flat()) ?? [];
    return actions.map((action) => {
      const place = rules.find((each) => each.action === action)?.rule.place;
      if (rule.severity !== 'warning' || isForItsAbis(subject, action)) return { message: say(action), place };
      return { message: `${say(action)} (calls of other ABIs)`, severity: 'note', place };
    });
  };
  return { ...rule, judge };
}

/** Whether a call of the ABIs that a filter was written for gets an action. */
function isForItsAbis({ abis, outcomes }: Subject, action: number): boolean {
  return abis.some(({ intervals }) => intervals.some(({ node }) => outcomes.of(node).includes(action)));
}

const hex = (action: number): string => `0x${action.toString(16).padStart(8, '0')}`;

/** Rules on what a filter returns, whatever for. */
export const RETURN_RULES: readonly LintRule[] = [
  actionRule(
    {
      id: 'errno-zero',
      severity: 'warning',
      why: 'the call is not made, and its caller is told that it was: it goes on with what it does not have',
      todo: 'give an error, or allow the call',
      source: 'seccomp(2), SECCOMP_RET_ERRNO; kernel/seccomp.c',
    },
    (action) => action === SECCOMP_RET_ERRNO,
    () => 'a call that is not made returns 0',
  ),
  actionRule(
    {
      id: 'errno-range',
      severity: 'warning',
      why: `the kernel makes ${MAX_ERRNO} of it, which no program knows`,
      todo: 'give an errno of the ABI',
      source: 'kernel/seccomp.c __seccomp_filter, MAX_ERRNO',
    },
    (action) => kindOf(action) === SECCOMP_RET_ERRNO && dataOf(action) > MAX_ERRNO,
    (action) => `errno ${dataOf(action)} is above ${MAX_ERRNO}`,
  ),
  actionRule(
    {
      id: 'kill-thread',
      severity: 'warning',
      why: 'one thread ends, with its locks held; the others wait for ever',
      todo: 'use kill_process (0x80000000, Linux 4.14)',
      source: 'seccomp(2), SECCOMP_RET_KILL_THREAD',
    },
    (action) => kindOf(action) === SECCOMP_RET_KILL_THREAD,
    () => 'a refused call ends its thread only',
  ),
  actionRule(
    {
      id: 'allow-data',
      severity: 'warning',
      why: 'the kernel keeps only a plain allow in its bitmap of permitted calls: each of these runs the filter',
      todo: 'return SECCOMP_RET_ALLOW without data',
      source: 'kernel/seccomp.c seccomp_is_const_allow (5.11)',
    },
    (action) => kindOf(action) === SECCOMP_RET_ALLOW && dataOf(action) !== 0,
    (action) => `allow is returned with data: ${hex(action)}`,
  ),
  actionRule(
    {
      id: 'unknown-action',
      severity: 'error',
      why: 'the kernel ends the process for an action that it does not know',
      todo: 'return one of SECCOMP_RET_*',
      source: 'kernel/seccomp.c __seccomp_filter, default case',
    },
    (action) => !isKnown(action),
    (action) => `${hex(action)} is no action`,
  ),
  actionRule(
    {
      id: 'no-listener',
      severity: 'note',
      why: 'without a supervisor that holds the listener the call gets ENOSYS',
      todo: 'install the filter with SECCOMP_FILTER_FLAG_NEW_LISTENER and a supervisor (run and seal do not)',
      source: 'seccomp_unotify(2)',
    },
    (action) => kindOf(action) === SECCOMP_RET_USER_NOTIF,
    () => 'calls wait for a supervisor',
  ),
  actionRule(
    {
      id: 'no-tracer',
      severity: 'note',
      why: 'without a tracer the call gets ENOSYS',
      todo: 'run it under a tracer with PTRACE_O_TRACESECCOMP, or choose another action',
      source: 'seccomp(2), SECCOMP_RET_TRACE',
    },
    (action) => kindOf(action) === SECCOMP_RET_TRACE,
    () => 'calls wait for a tracer',
  ),
];
