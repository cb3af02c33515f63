import { UsageError } from '../base/errors.ts';
import { type Observation, type ObserveOptions, observeCommand } from './notify.ts';

/** Who sees the calls of a recording. */

const BACKENDS = ['auto', 'notify', 'ebpf'] as const;
/** `auto`: notify for commands, as it needs no rights and slows nobody else; ebpf for processes that run. */
export type Backend = (typeof BACKENDS)[number];

/** @throws {UsageError} `unknown_backend` */
export function parseBackend(word: string): Backend {
  const backend = BACKENDS.find((name) => name === word);
  if (backend !== undefined) return backend;
  throw new UsageError('unknown_backend', `Cannot record by '${word}': wanted ${BACKENDS.join(', ')}`);
}

export interface BackendObservation extends Observation {
  readonly backend: Exclude<Backend, 'auto'>;
}

/**
 * Runs a command, or watches a running process, and observes it.
 *
 * @throws as observeCommand or traceAndObserve
 */
export async function observeBy(backend: Backend, options: ObserveOptions): Promise<BackendObservation> {
  const isByEbpf = backend === 'ebpf' || options.running !== undefined;
  if (isByEbpf && options.ready)
    throw new UsageError(
      'bad_usage',
      'Cannot look for a sign of readiness by eBPF: it sees calls when they are over: use --backend notify',
    );
  if (isByEbpf) return byEbpf(options);
  return { ...(await observeCommand(options)), backend: 'notify' };
}

async function byEbpf(options: ObserveOptions): Promise<BackendObservation> {
  const { traceAndObserve } = await import('./ebpf.ts');
  return { ...(await traceAndObserve(options)), backend: 'ebpf' };
}
