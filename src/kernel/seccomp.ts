import { UnsupportedError } from '../base/errors.ts';
import {
  NR,
  PR_GET_NO_NEW_PRIVS,
  PR_GET_SECCOMP,
  PR_SET_NO_NEW_PRIVS,
  SECCOMP_GET_ACTION_AVAIL,
  SECCOMP_GET_NOTIF_SIZES,
  SECCOMP_SET_MODE_FILTER,
} from './abi.ts';
import { addressOf, mustSyscall, syscallError, trySyscall } from './libc.ts';

/** seccomp(2) and the prctl(2) operations that belong to it, for the calling thread. */

/** struct sock_fprog: u16 len | 6 bytes of padding | pointer to `len` instructions of 8 bytes. */
function sockFprog(program: Uint8Array): Uint8Array {
  const fprog = Buffer.alloc(16);
  fprog.writeUInt16LE(program.length / 8, 0);
  fprog.writeBigUInt64LE(addressOf(program), 8);
  return fprog;
}

/**
 * Installs a filter on the calling thread, or with SECCOMP_FILTER_FLAG_TSYNC on all threads.
 *
 * @param program - encoded instructions, 8 bytes each, this machine's byte order
 * @param flags - SECCOMP_FILTER_FLAG_*
 * @returns 0, or the listener's descriptor with SECCOMP_FILTER_FLAG_NEW_LISTENER
 * @throws {SyscallError} refused; ESRCH also where TSYNC names a thread that could not follow (its positive result, seccomp(2))
 */
export function installFilter(program: Uint8Array, flags: number, newListener: boolean): number {
  // Safe because: `program` and `fprog` are referenced until the call is over; the kernel copies both.
  const fprog = sockFprog(program);
  const result = mustSyscall('seccomp', 'install a filter', NR.seccomp, SECCOMP_SET_MODE_FILTER, flags, fprog);
  if (result > 0 && !newListener)
    throw syscallError('seccomp', 3, `install a filter on thread ${result}, which has filters of its own`);
  return result;
}

/** Gives up, for ever, privileges that execve(2) could give (setuid, file capabilities): prctl(PR_SET_NO_NEW_PRIVS). */
export function setNoNewPrivs(): void {
  mustSyscall('prctl', 'set no_new_privs', NR.prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/** Whether no_new_privs is set on the calling thread; undefined where the kernel refuses to say. */
export function hasNoNewPrivs(): boolean | undefined {
  const result = trySyscall(NR.prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
  return result < 0 ? undefined : result === 1;
}

/** The calling thread's mode, PR_GET_SECCOMP: 0 none, 2 filters; negative errno where refused. */
export function seccompMode(): number {
  return trySyscall(NR.prctl, PR_GET_SECCOMP);
}

/** Whether the kernel knows an action (SECCOMP_RET_*): SECCOMP_GET_ACTION_AVAIL, since 4.14. 0 yes, else -errno. */
export function tryActionAvailable(action: number): number {
  const word = Buffer.alloc(4);
  word.writeUInt32LE(action >>> 0, 0);
  return trySyscall(NR.seccomp, SECCOMP_GET_ACTION_AVAIL, 0, word);
}

/**
 * Whether the kernel takes these flags: it looks at them before it reads the program, so that a null program gives EFAULT for known
 * flags and EINVAL for others. Nothing is installed.
 *
 * @returns -errno
 */
export function tryFlags(flags: number): number {
  return trySyscall(NR.seccomp, SECCOMP_SET_MODE_FILTER, flags, null);
}

/** Sizes of the structs that a listener speaks, in bytes. */
export interface NotifSizes {
  readonly notif: number;
  readonly response: number;
  readonly data: number;
}

/**
 * Asks for SECCOMP_GET_NOTIF_SIZES.
 *
 * @throws {UnsupportedError} the kernel has no user notification (before 5.0), or a filter on us forbids the question
 */
export function notifSizes(): NotifSizes {
  const sizes = Buffer.alloc(6);
  const result = trySyscall(NR.seccomp, SECCOMP_GET_NOTIF_SIZES, 0, sizes);
  if (result < 0)
    throw new UnsupportedError(
      'user notification',
      'Cannot use user notification: seccomp(SECCOMP_GET_NOTIF_SIZES) is refused: wanted Linux 5.0 or newer, and no outer filter that forbids it',
      '5.0',
    );
  return { notif: sizes.readUInt16LE(0), response: sizes.readUInt16LE(2), data: sizes.readUInt16LE(4) };
}
