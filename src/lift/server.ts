import type { Program } from '../bpf/instruction.ts';
import type { ArchName } from '../facts/arches.ts';
import type { Listener } from '../kernel/notify.ts';
import { executableOf } from '../kernel/process.ts';
import { type TaskStatus, taskStatus } from '../kernel/task-status.ts';
import { installationOf, readInstallation } from '../observe/installation.ts';
import { notifiedData } from '../observe/notified.ts';
import type { CallServer } from '../observe/receive.ts';

/** What is done with installations: let the kernel do it, say that it did, or say EPERM. */
export type Treatment = 'permit' | 'pretend' | 'refuse';

/** A filter that a program installed, or wanted to. */
export interface SeenInstallation {
  /** Absent where the caller's memory is closed to us: it made itself undumpable, or has more rights than we. */
  readonly program?: Program;
  /** What the kernel says to it: 0 or an errno, EBUSY for one with a listener; undefined where `program` could not be read. */
  readonly errno: number | undefined;
  /** Path of the executable; undefined where the kernel refuses. */
  readonly exe: string | undefined;
  readonly pid: number;
  readonly tid: number;
  /** Processes that it descends from, the nearest first, as they were at that moment. */
  readonly ancestors: readonly number[];
  /** How many filters the thread had, beside those that the command began with; undefined before Linux 5.9. */
  readonly before: number | undefined;
  readonly by: 'seccomp' | 'prctl';
  /** SECCOMP_FILTER_FLAG_*. */
  readonly flags: number;
  /** The ABI of the call. */
  readonly arch: ArchName;
}

const EPERM = 1;
const EFAULT = 14;

/** Notes every installation. Nothing is decided by what was read, so that it does not matter whether the kernel reads the same. */
export class InstallationServer implements CallServer<readonly SeenInstallation[]> {
  readonly #treatment: Treatment;
  readonly #tell: (installation: SeenInstallation) => void;
  readonly #seen: SeenInstallation[] = [];
  /** Filters of every process below us: our own, and the one that notifies. */
  readonly #begunWith = (taskStatus(process.pid)?.filters ?? 0) + 1;
  #listener: Listener | undefined;

  /** `tell` gets each installation before it is answered. */
  constructor(treatment: Treatment, tell: (installation: SeenInstallation) => void) {
    this.#treatment = treatment;
    this.#tell = tell;
  }

  begin(listener: Listener): void {
    this.#listener = listener;
    listener.wakeUpSynchronously();
  }

  serve(notification: DataView): void {
    const { tid, data } = notifiedData(notification);
    const call = installationOf(data);
    const installation = call && readInstallation(tid, call);
    // A question to the kernel about flags, with a null program; or a caller that has gone, so that another's memory was read.
    const isReal = installation !== undefined && installation.errno !== EFAULT && this.#listener?.isValid() === true;
    if (call && isReal) {
      const { arch, by, flags } = call;
      const status = taskStatus(tid);
      const seen = {
        ...installation,
        exe: executableOf(tid),
        pid: status?.tgid ?? tid,
        tid,
        ancestors: ancestorsOf(status),
        before: status?.filters === undefined ? undefined : status.filters - this.#begunWith,
        by,
        flags,
        arch,
      };
      this.#seen.push(seen);
      this.#tell(seen);
    }
    if (!isReal || this.#treatment === 'permit') this.#listener?.continue();
    else this.#listener?.answer(0n, this.#treatment === 'refuse' ? EPERM : (installation.errno ?? 0));
  }

  beforeWait(): void {}

  drop(): void {}

  end(): void {}

  result(): readonly SeenInstallation[] {
    return this.#seen;
  }
}

function ancestorsOf(status: TaskStatus | undefined): readonly number[] {
  const found: number[] = [];
  for (let pid = status?.ppid ?? 0; pid > 1 && pid !== process.pid; pid = taskStatus(pid)?.ppid ?? 0) found.push(pid);
  return found;
}
