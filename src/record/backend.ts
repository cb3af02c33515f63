import { UnsupportedError, UsageError } from '../base/errors.ts';
import { type Observation, type ObserveOptions, observeCommand } from './notify.ts';

/** Who sees the calls of a recording. */

const BACKENDS = ['auto', 'notify', 'ebpf'] as const;
/** `auto`: notify, which needs no rights and slows nobody else; ebpf where the kernel or another listener refuses that. */
export type Backend = (typeof BACKENDS)[number];

/** @throws {UsageError} `unknown_backend` */
export function parseBackend(word: string): Backend {
  const backend = BACKENDS.find((name) => name === word);
  if (backend !== undefined) return backend;
  throw new UsageError('unknown_backend', `Cannot record by '${word}': wanted ${BACKENDS.join(', ')}`);
}

export interface BackendObservation extends Observation {
  readonly backend: Exclude<Backend, 'auto'>;
  /** Why `auto` did not take notify. */
  readonly reason?: string;
}

/**
 * Runs a command and observes it.
 *
 * @throws as observeCommand or traceAndObserve; `auto`: as observeCommand where neither works
 */
export async function observeBy(backend: Backend, options: ObserveOptions): Promise<BackendObservation> {
  if (backend === 'ebpf' || options.running !== undefined) return byEbpf(options);
  try {
    return { ...(await observeCommand(options)), backend: 'notify' };
  } catch (error) {
    // The filter was refused before the command began.
    if (backend === 'notify' || !(error instanceof UnsupportedError)) throw error;
    const observation = await byEbpf(options).catch((other) => {
      throw other instanceof UnsupportedError ? error : other;
    });
    return { ...observation, reason: error.message };
  }
}

async function byEbpf(options: ObserveOptions): Promise<BackendObservation> {
  const { traceAndObserve } = await import('./ebpf.ts');
  return { ...(await traceAndObserve(options)), backend: 'ebpf' };
}
