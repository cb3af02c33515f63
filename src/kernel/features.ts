import {
  SECCOMP_RET_ALLOW,
  SECCOMP_RET_KILL_PROCESS,
  SECCOMP_RET_LOG,
  SECCOMP_RET_USER_NOTIF,
} from '../facts/seccomp.ts';
import {
  NR,
  SECCOMP_FILTER_FLAG_LOG,
  SECCOMP_FILTER_FLAG_NEW_LISTENER,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW,
  SECCOMP_FILTER_FLAG_TSYNC,
  SECCOMP_FILTER_FLAG_TSYNC_ESRCH,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
} from './abi.ts';
import { trySyscall } from './libc.ts';
import { hasNoNewPrivs, seccompMode, tryActionAvailable, tryFlags } from './seccomp.ts';

/** What this kernel can do, found by asking it. Nothing is changed by a probe. */

/** `unknown`: something (an outer filter, mostly) answered in the kernel's place. */
export type Answer = 'yes' | 'no' | 'unknown';

export interface Feature {
  readonly name: string;
  readonly answer: Answer;
  /** Least kernel release that has it. */
  readonly since: string;
}

const EBADF = 9;
const EFAULT = 14;
const EINVAL = 22;
const ENOSYS = 38;
const EOPNOTSUPP = 95;

/** Reads an error as an answer: `yes` errnos prove it is there, `no` errnos that it is not. */
function judge(result: number, yes: readonly number[], no: readonly number[]): Answer {
  if (result >= 0 || yes.includes(-result)) return 'yes';
  return no.includes(-result) ? 'no' : 'unknown';
}

const flags = (value: number): Answer => judge(tryFlags(value), [EFAULT], [EINVAL, ENOSYS]);
const action = (value: number): Answer => judge(tryActionAvailable(value), [], [EOPNOTSUPP, EINVAL, ENOSYS]);

/** Each feature with the question that finds it. Releases: seccomp(2), seccomp_unotify(2), pidfd_open(2), pidfd_getfd(2). */
const PROBES: readonly (readonly [name: string, since: string, probe: () => Answer])[] = [
  ['filter', '3.5', () => judge(seccompMode(), [], [EINVAL])],
  ['no_new_privs', '3.5', () => (hasNoNewPrivs() === undefined ? 'no' : 'yes')],
  ['seccomp', '3.17', () => judge(tryActionAvailable(SECCOMP_RET_ALLOW), [EINVAL, EOPNOTSUPP], [ENOSYS])],
  ['tsync', '3.17', () => flags(SECCOMP_FILTER_FLAG_TSYNC)],
  ['log', '4.14', () => flags(SECCOMP_FILTER_FLAG_LOG)],
  ['action_log', '4.14', () => action(SECCOMP_RET_LOG)],
  ['action_kill_process', '4.14', () => action(SECCOMP_RET_KILL_PROCESS)],
  ['spec_allow', '4.17', () => flags(SECCOMP_FILTER_FLAG_SPEC_ALLOW)],
  ['user_notif', '5.0', () => action(SECCOMP_RET_USER_NOTIF)],
  ['new_listener', '5.0', () => flags(SECCOMP_FILTER_FLAG_NEW_LISTENER)],
  ['pidfd_open', '5.3', () => judge(trySyscall(NR.pidfd_open, -1, 0), [EINVAL], [ENOSYS])],
  ['pidfd_getfd', '5.6', () => judge(trySyscall(NR.pidfd_getfd, -1, 0, 0), [EBADF], [ENOSYS])],
  [
    'tsync_esrch',
    '5.7',
    () => flags(SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH | SECCOMP_FILTER_FLAG_NEW_LISTENER),
  ],
  [
    'wait_killable_recv',
    '5.19',
    () => flags(SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV | SECCOMP_FILTER_FLAG_NEW_LISTENER),
  ],
];

/**
 * Asks the running kernel for each feature of seccomp that Selkie knows.
 *
 * @throws {UnsupportedError} not Linux on x86-64
 */
export function probeFeatures(): readonly Feature[] {
  return PROBES.map(([name, since, probe]) => ({ name, since, answer: probe() }));
}
