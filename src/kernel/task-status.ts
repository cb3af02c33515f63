import { readdirSync, readFileSync } from 'node:fs';

/** What the status files of processes and threads say about seccomp: proc_pid_status(5). Readable for everybody unless /proc hides them. */

export interface TaskStatus {
  /** The thread's id; that of its process for the first thread. */
  readonly pid: number;
  readonly tgid: number;
  /** As the kernel prints it: at most 15 bytes, or more for kernel threads; any bytes but NUL, newlines escaped. */
  readonly name: string;
  /** The letter of proc_pid_stat(5): R, S, D, T, t, Z, I. */
  readonly state: string;
  /** Effective user id, in our user namespace. */
  readonly uid: number;
  readonly threads: number;
  /** Its parent's process id. */
  readonly ppid: number;
  /** Who traces it by ptrace(2), 0 for nobody. */
  readonly tracer: number;
  /** SECCOMP_MODE_*; undefined where the kernel has no seccomp. */
  readonly mode: number | undefined;
  /** How many filters are in force (5.9+). */
  readonly filters: number | undefined;
  /** Since 4.10. */
  readonly noNewPrivs: boolean | undefined;
  /** Signals that it handles, and that it blocks: bit N-1 for signal N. */
  readonly caught: bigint;
  readonly blocked: bigint;
}

/** Reads a task's status; undefined where there is none of that id, or /proc does not show it. */
export function taskStatus(pid: number): TaskStatus | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    return undefined;
  }
  const field = (name: string): string | undefined => new RegExp(`^${name}:\\t(.*)$`, 'm').exec(text)?.[1];
  const number = (name: string): number | undefined => {
    const value = field(name);
    return value === undefined ? undefined : Number.parseInt(value, 10);
  };
  return {
    pid,
    tgid: number('Tgid') ?? pid,
    name: field('Name') ?? '',
    state: field('State')?.[0] ?? '?',
    uid: Number(field('Uid')?.split('\t')[1] ?? 0),
    threads: number('Threads') ?? 1,
    ppid: number('PPid') ?? 0,
    tracer: number('TracerPid') ?? 0,
    mode: number('Seccomp'),
    filters: number('Seccomp_filters'),
    noNewPrivs: field('NoNewPrivs') === undefined ? undefined : field('NoNewPrivs') === '1',
    caught: BigInt(`0x${field('SigCgt') ?? '0'}`),
    blocked: BigInt(`0x${field('SigBlk') ?? '0'}`),
  };
}

/** The ids of a process's threads, the first one first; empty where it has gone or /proc does not show them. */
export function threadsOf(pid: number): readonly number[] {
  return numbersIn(`/proc/${pid}/task`);
}

/**
 * The processes that a thread has made and that live, oldest first; those whose maker has ended are another thread's. Empty where the kernel
 * does not say (CONFIG_PROC_CHILDREN).
 *
 * @see proc_pid_task(5)
 */
export function childrenOf(tgid: number, tid: number): readonly number[] {
  try {
    const text = readFileSync(`/proc/${tgid}/task/${tid}/children`, 'latin1').trim();
    return text === '' ? [] : text.split(' ').map(Number);
  } catch {
    return [];
  }
}

/** The status of every process that /proc shows, by ascending id. Those that end meanwhile are left out. */
export function allProcesses(): readonly TaskStatus[] {
  return numbersIn('/proc').flatMap((pid) => taskStatus(pid) ?? []);
}

function numbersIn(folder: string): readonly number[] {
  try {
    const names = readdirSync(folder).filter((name) => /^\d+$/.test(name));
    return names.map(Number).sort((a, b) => a - b);
  } catch {
    return [];
  }
}
