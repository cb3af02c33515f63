import { type SyscallError, UnsupportedError, UsageError } from '../base/errors.ts';
import { NR, PTRACE_SECCOMP_GET_FILTER, SECCOMP_MODE_DISABLED, SECCOMP_MODE_STRICT } from './abi.ts';
import { errnoName, syscallError, trySyscall } from './libc.ts';
import { readPlace } from './place.ts';
import { seccompMode } from './seccomp.ts';
import { type TaskStatus, taskStatus } from './task-status.ts';
import { type Refusal, withStopped } from './tracee.ts';

/** The filters of a running process: PTRACE_SECCOMP_GET_FILTER (4.4), with CONFIG_CHECKPOINT_RESTORE. */

const EPERM = 1;
const ENOENT = 2;
const EIO = 5;
const EACCES = 13;
const EINVAL = 22;
const EMEDIUMTYPE = 124;
const INSTRUCTION_SIZE = 8;

const FALLBACK = 'or see the filters that a command installs, without privileges: selkie lift -- CMD';

/**
 * Reads the filters of a process, or of one thread by its id. Where it has some, it is stopped for a fraction of a millisecond.
 *
 * @returns encoded programs, newest first as the kernel runs them; empty where it has none (kernel threads too)
 * @throws {UsageError} `no_such_process`
 * @throws {UnsupportedError} CAP_SYS_ADMIN in the first user namespace is missing, we have a filter ourselves, the kernel was built without
 *   CONFIG_CHECKPOINT_RESTORE, another debugger traces the process, it is in strict mode or does not stop
 * @see kernel/seccomp.c seccomp_get_filter, get_nth_filter (v6.18)
 */
export function filtersOf(pid: number): readonly Uint8Array[] {
  const status = livingStatus(pid);
  if (status.mode === undefined || status.mode === SECCOMP_MODE_DISABLED) return [];
  if (status.mode === SECCOMP_MODE_STRICT)
    throw refusal(pid, 'it is in strict mode, which permits read, write, exit and sigreturn and is no filter');
  checkRights(pid);
  const stopped = withStopped(pid, () => readFilters(pid));
  if ('value' in stopped) return stopped.value;
  throw traceRefusal(pid, status, stopped.refused);
}

function livingStatus(pid: number): TaskStatus {
  const status = taskStatus(pid);
  if (status !== undefined && status.state !== 'Z' && status.state !== 'X') return status;
  const reason = status
    ? 'it has ended, and waits for its parent'
    : 'ESRCH: no such process, or /proc does not show it';
  throw new UsageError('no_such_process', `Cannot read the filters of process ${pid}: ${reason}`);
}

/** What can be known before a process is stopped in vain. */
function checkRights(pid: number): void {
  if (readPlace().capSysAdmin === false) throw refusal(pid, `CAP_SYS_ADMIN is missing: run this as root, ${FALLBACK}`);
  if (seccompMode() > 0)
    throw refusal(
      pid,
      `this process has a filter itself, and the kernel shows filters to unfiltered processes only: ${OUTSIDE}`,
    );
}

const OUTSIDE = `do it outside of the container or sandbox, ${FALLBACK}`;

/** Index 0 is the oldest filter: get_nth_filter counts from the first one installed. */
function readFilters(pid: number): readonly Uint8Array[] {
  const filters: Uint8Array[] = [];
  for (;;) {
    const count = getFilter(pid, filters.length, null);
    if (count === -ENOENT) return filters.reverse();
    if (count < 0) throw filterRefusal(pid, -count);
    const bytes = new Uint8Array(count * INSTRUCTION_SIZE);
    // Safe because: a filter never changes, and `bytes` has the length that the kernel named; it is referenced until the call is over.
    const read = getFilter(pid, filters.length, bytes);
    if (read < 0) throw filterRefusal(pid, -read);
    filters.push(bytes);
  }
}

/** @returns the number of instructions, or -errno */
function getFilter(pid: number, index: number, bytes: Uint8Array | null): number {
  return trySyscall(NR.ptrace, PTRACE_SECCOMP_GET_FILTER, pid, index, bytes);
}

function refusal(pid: number, reason: string): UnsupportedError {
  return new UnsupportedError('filters of a process', `Cannot read the filters of process ${pid}: ${reason}`, '4.4');
}

function filterRefusal(pid: number, errno: number): UnsupportedError | SyscallError {
  if (errno === EACCES)
    return refusal(
      pid,
      `EACCES: wanted CAP_SYS_ADMIN in the first user namespace, not in one of a container: ${OUTSIDE}`,
    );
  if (errno === EINVAL || errno === EIO)
    return refusal(pid, `${errnoName(errno)}: wanted a kernel with CONFIG_CHECKPOINT_RESTORE; ${FALLBACK}`);
  if (errno === EMEDIUMTYPE) return refusal(pid, 'EMEDIUMTYPE: one of them was not kept by the kernel as it was given');
  return syscallError('ptrace(PTRACE_SECCOMP_GET_FILTER)', errno, `read the filters of process ${pid}`);
}

function traceRefusal(pid: number, { tracer, state }: TaskStatus, refused: Refusal): UsageError | UnsupportedError {
  if (refused === 'gone')
    return new UsageError('no_such_process', `Cannot read the filters of process ${pid}: it ended meanwhile`);
  if (refused === 'late')
    return refusal(pid, `it does not stop (state ${state}): it sleeps where only a fatal signal reaches it; try again`);
  const by = tracer === 0 ? '' : `: process ${tracer} traces it already, and one tracer is all that the kernel permits`;
  const hint = refused === -EPERM && by === '' ? ': wanted CAP_SYS_PTRACE, and no Yama ptrace_scope of 3' : by;
  return refusal(pid, `ptrace(PTRACE_SEIZE): ${errnoName(-refused)}${hint}`);
}
