import { closeSync, openSync, readdirSync, readSync } from 'node:fs';

/** The threads of this process, and what their status files say of seccomp: proc_pid_status(5). */

/** A status file that is already open, because opening may be forbidden later. */
export interface ThreadStatus {
  readonly tid: number;
  readonly fd: number;
}

/** Mode SECCOMP_MODE_FILTER, and how many filters are in force (undefined before Linux 5.9). */
export interface ThreadSeccomp {
  readonly filtered: boolean;
  readonly filters: number | undefined;
}

/** Opens the status file of every thread; empty where /proc is not mounted. Threads that end meanwhile are left out. */
export function openThreadStatuses(): readonly ThreadStatus[] {
  return threadIds().flatMap((tid) => {
    const fd = attempt(() => openSync(`/proc/self/task/${tid}/status`, 'r'));
    return fd === undefined ? [] : [{ tid, fd }];
  });
}

function threadIds(): readonly number[] {
  return (attempt(() => readdirSync('/proc/self/task')) ?? []).map(Number);
}

/**
 * Reads an open status file by read(2) from where it stands: once, as a second reading would need another call.
 *
 * @returns undefined for a thread that has ended, or where reading is refused
 */
export function readThreadStatus({ fd }: ThreadStatus): ThreadSeccomp | undefined {
  // Status files have some 1,400 bytes; all of it comes in one read when the buffer is large enough.
  const bytes = Buffer.alloc(16_384);
  const size = attempt(() => readSync(fd, bytes, 0, bytes.length, null));
  if (size === undefined || size === 0) return undefined;
  const text = bytes.toString('latin1', 0, size);
  const field = (name: string): number | undefined => {
    const match = new RegExp(`^${name}:\\s*(\\d+)`, 'm').exec(text);
    return match ? Number(match[1]) : undefined;
  };
  return { filtered: field('Seccomp') === 2, filters: field('Seccomp_filters') };
}

export function closeThreadStatuses(statuses: readonly ThreadStatus[]): void {
  for (const { fd } of statuses) attempt(() => closeSync(fd));
}

function attempt<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}
