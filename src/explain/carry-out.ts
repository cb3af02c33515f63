import {
  MAX_ERRNO,
  SECCOMP_RET_ACTION_FULL,
  SECCOMP_RET_ALLOW,
  SECCOMP_RET_DATA,
  SECCOMP_RET_ERRNO,
  SECCOMP_RET_KILL_THREAD,
  SECCOMP_RET_LOG,
  SECCOMP_RET_TRACE,
  SECCOMP_RET_TRAP,
  SECCOMP_RET_USER_NOTIF,
  type SeccompData,
} from '../facts/seccomp.ts';
import { taskStatus } from '../kernel/task-status.ts';
import { deliverSignal, replaceCall } from '../kernel/tracee.ts';
import { KILL_THREAD_NR } from './filter.ts';
import { killCaller } from './kill.ts';

/** What a filter answers to a notified call, done in the kernel's place. */

/** Ends the caller's wait with an errno; 0 is success, and a value may go with it. */
export type Answer = (errno: number, value?: bigint) => void;

const ENOSYS = 38;
const SIGSYS = 31;
const SYS_SECCOMP = 1;
const SIGINFO_SIZE = 128;

/** SECCOMP_RET_LOG and SECCOMP_RET_ALLOW let a call happen. */
export function isPermitted(action: number): boolean {
  const kind = (action & SECCOMP_RET_ACTION_FULL) >>> 0;
  return kind === SECCOMP_RET_ALLOW || kind === SECCOMP_RET_LOG;
}

/**
 * Carries out an action that denies. Where the kernel does not let us do the same (no right to trace the caller), it is a harder one: the
 * death of the process.
 *
 * @see kernel/seccomp.c __seccomp_filter (v6.18)
 */
export function carryOut(tid: number, data: SeccompData, action: number, answer: Answer): void {
  switch ((action & SECCOMP_RET_ACTION_FULL) >>> 0) {
    case SECCOMP_RET_ERRNO:
      answer(Math.min(action & SECCOMP_RET_DATA, MAX_ERRNO));
      return;
    case SECCOMP_RET_TRACE:
    case SECCOMP_RET_USER_NOTIF:
      // Without a tracer or a listener (seccomp(2)).
      answer(ENOSYS);
      return;
    case SECCOMP_RET_TRAP:
      if (!trap(tid, data, action, answer)) killCaller(tid, data, answer);
      return;
    case SECCOMP_RET_KILL_THREAD:
      if (!replaceCall(tid, KILL_THREAD_NR, () => answer(ENOSYS))) killCaller(tid, data, answer);
      return;
    default:
      killCaller(tid, data, answer);
  }
}

/**
 * SIGSYS as the kernel sends it: forced, so that it is death where it is not caught or is blocked.
 *
 *     siginfo_t: s32 si_signo | s32 si_errno | s32 si_code | 4 | void *si_call_addr | s32 si_syscall | u32 si_arch
 *
 * @returns whether it was delivered; else nothing was answered
 */
function trap(tid: number, data: SeccompData, action: number, answer: Answer): boolean {
  const status = taskStatus(tid);
  const bit = 1n << BigInt(SIGSYS - 1);
  if (status === undefined || (status.caught & bit) === 0n || (status.blocked & bit) !== 0n) return false;
  const siginfo = new Uint8Array(SIGINFO_SIZE);
  const view = new DataView(siginfo.buffer);
  view.setInt32(0, SIGSYS, true);
  view.setInt32(4, action & SECCOMP_RET_DATA, true);
  view.setInt32(8, SYS_SECCOMP, true);
  view.setBigUint64(16, data.instructionPointer, true);
  view.setInt32(24, data.nr, true);
  view.setUint32(28, data.arch, true);
  // The handler finds the number where the result would be (syscall_rollback).
  return deliverSignal(status, siginfo, BigInt(data.nr), () => answer(ENOSYS));
}
