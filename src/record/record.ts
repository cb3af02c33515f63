import { type Backend, observeBy } from './backend.ts';
import type { Evidence } from './evidence.ts';
import type { ExitStatus, ObserveOptions } from './notify.ts';

/** One recording: what a command and all it started called. */

export interface Recording {
  readonly status: ExitStatus;
  readonly evidence: readonly Evidence[];
  /** How the end of `start` was found; see observe/boundary.ts. */
  readonly boundary: 'exec' | 'entry' | 'ip';
  /** All calls, not kinds of calls. */
  readonly calls: number;
  /** Paths of all executables, the command's first. */
  readonly images: readonly string[];
  /** The file that was executed, as found in PATH. */
  readonly path: string;
  /** Something of Selkie's own failed: the command was killed, and the evidence ends there. */
  readonly error: Error | undefined;
  readonly backend: Exclude<Backend, 'auto'>;
  /** Whether the command said that it is ready; absent where nobody asked. */
  readonly isReady?: boolean;
  /** Why it is this one. */
  readonly why: string;
  /** What it could not see, in sentences. */
  readonly unseen: readonly string[];
}

export interface RecordingOptions extends ObserveOptions {
  /** Absent: `auto`. */
  readonly backend?: Backend;
}

/**
 * Runs a command and records its system calls. It has our terminal, process group, descriptors, signals and environment; its exit status is
 * in the result.
 *
 * @throws as observeBy
 * @example
 * const { evidence, status } = await record({ command: ['ls', '-l'] });
 */
export async function record({ backend = 'auto', ...options }: RecordingOptions): Promise<Recording> {
  // The tables of names are loaded while the command runs.
  const [observation, { evidenceOf }] = await Promise.all([observeBy(backend, options), import('./evidence.ts')]);
  const { results, isSynchronous: _, installers: __, ...rest } = observation;
  const images = [...new Set(results.map(({ exe }) => exe))];
  return { ...rest, evidence: evidenceOf(results), images };
}
