import { UnsupportedError } from '../base/errors.ts';
import { errnoName } from '../kernel/libc.ts';

/** Why a command could not be supervised; nothing of it was executed. */

const EBUSY = 16;

/** No listener. `errno` is that of seccomp(2), or EINVAL where notified calls cannot be let through. */
export function refusal(errno: number, purpose: string): UnsupportedError {
  const reason =
    errno === EBUSY
      ? 'another supervisor (a container agent, or Selkie itself) already listens to this process tree: do it outside of that'
      : 'wanted Linux 5.5 or newer, and no outer filter that forbids seccomp';
  return new UnsupportedError(
    'user notification',
    `Cannot ${purpose}: seccomp(SECCOMP_FILTER_FLAG_NEW_LISTENER): ${errnoName(errno)}: ${reason}`,
    '5.5',
  );
}

/** No tracer: `by` tells whose `errno` it is, ptrace(2)'s or seccomp(2)'s; EBUSY: calls were not stopped. */
export function traceRefusal(errno: number, purpose: string, by: 'ptrace' | undefined): UnsupportedError {
  const reason =
    by === 'ptrace'
      ? 'wanted the right to trace children: no kernel.yama.ptrace_scope of 2 or 3, no outer filter that forbids ptrace, and no other tracer'
      : errno === EBUSY
        ? 'a filter that is already in force decides all calls before a tracer sees them: do it outside of that'
        : 'wanted Linux 3.17 or newer, and no outer filter that forbids seccomp';
  const call = by === 'ptrace' ? 'ptrace(PTRACE_SEIZE)' : 'seccomp(SECCOMP_SET_MODE_FILTER)';
  return new UnsupportedError('tracing', `Cannot ${purpose}: ${call}: ${errnoName(errno)}: ${reason}`, '3.17');
}
