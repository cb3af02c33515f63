import type { BoundaryKind } from './boundary.ts';
import type { Installer } from './installers.ts';
import type { ReadyOptions } from './ready.ts';
import type { ExecutableCall } from './tally.ts';

/** What the receiving worker and the thread that started it tell each other. */

/** Given to the worker at its start. */
export interface ReceiveOptions {
  /** Our end of the guard's socket; the worker owns it from now on. */
  readonly socket: number;
  /** An eventfd: when it is raised, the worker stops and hands over what it has. */
  readonly wake: number;
  /** Path of the launching executable as /proc/PID/exe shows it. */
  readonly launcher: string;
}

/** Of the worker of a recording. */
export interface CountingOptions extends ReceiveOptions {
  /** Whether calls are told apart by their selector arguments. */
  readonly args: boolean;
  /** Absent: there is no service. */
  readonly ready?: ReadyOptions;
  /** Known calls are not notified. */
  readonly hasKnown?: boolean;
}

/** What a recording saw; also of one that was cut short. */
export interface Observed {
  readonly calls: number;
  readonly boundary: BoundaryKind;
  readonly results: readonly ExecutableCall[];
  /** Whether the kernel took turns on one CPU (SYNC_WAKE_UP). */
  readonly isSynchronous: boolean;
  /** Whether the command said that it is ready; absent where nobody asked. */
  readonly isReady?: boolean;
  /** Absent where what filters deny is seen. */
  readonly installers?: readonly Installer[];
}

/** What a recording tells meanwhile: at once when it sees a call of a new kind, else about four times a second while there are calls. */
export interface Progress {
  /** All calls up to some quarter of a second ago. */
  readonly calls: number;
  /** Kinds of calls that were not told before, each with a count of 1. */
  readonly fresh: readonly ExecutableCall[];
}

/** From the worker: `E` is what it tells meanwhile, `R` its result. `status` is wait4(2)'s word. */
export type ReceiveMessage<R, E> =
  | { readonly kind: 'started'; readonly pid: number }
  | { readonly kind: 'tracee'; readonly pid: number }
  | { readonly kind: 'refused'; readonly errno: number; readonly by?: 'ptrace' }
  | { readonly kind: 'status'; readonly pid: number; readonly status: number; readonly execErrno: number }
  | { readonly kind: 'signal'; readonly signal: number; readonly code: number; readonly sender: number }
  | { readonly kind: 'event'; readonly event: E }
  | { readonly kind: 'failed'; readonly error: Error }
  | { readonly kind: 'done'; readonly observed: R };
