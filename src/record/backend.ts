import { UnsupportedError, UsageError } from '../base/errors.ts';
import { type Observation, type ObserveOptions, observeCommand } from './notify.ts';
import { unseenBy } from './unseen.ts';

/** Who sees the calls of a recording. */

const BACKENDS = ['auto', 'notify', 'ptrace', 'ebpf'] as const;
/** `auto`: for commands notify, as it needs no rights and slows nobody else, or ptrace where that is refused; ebpf for processes that run. */
export type Backend = (typeof BACKENDS)[number];

/** @throws {UsageError} `unknown_backend` */
export function parseBackend(word: string): Backend {
  const backend = BACKENDS.find((name) => name === word);
  if (backend !== undefined) return backend;
  throw new UsageError('unknown_backend', `Cannot record by '${word}': wanted ${BACKENDS.join(', ')}`);
}

export interface BackendObservation extends Observation {
  readonly backend: Exclude<Backend, 'auto'>;
  /** Why it is this one. */
  readonly why: string;
  /** What it could not see. */
  readonly unseen: readonly string[];
}

/**
 * Runs a command, or watches a running process, and observes it.
 *
 * @throws as observeCommand, traceByPtrace or traceAndObserve
 */
export async function observeBy(backend: Backend, options: ObserveOptions): Promise<BackendObservation> {
  if (options.ready && (options.running !== undefined || backend === 'ebpf'))
    throw new UsageError(
      'bad_usage',
      'Cannot look for a sign of readiness by eBPF: it sees calls when they are over: use --backend notify',
    );
  if (options.running !== undefined) return byEbpf(options, 'it alone sees processes that run already');
  if (backend === 'ebpf') return byEbpf(options, ASKED);
  if (backend === 'ptrace') return byPtrace(options, ASKED);
  const why = backend === 'notify' ? ASKED : 'it needs no rights and slows nobody else';
  try {
    return withUnseen(await observeCommand(options), 'notify', why);
  } catch (error) {
    // Nothing was executed.
    if (backend === 'notify' || !(error instanceof UnsupportedError)) throw error;
    return await instead(options, error);
  }
}

const ASKED = 'as asked for';

/** Where neither is possible the first refusal says more. */
async function instead(options: ObserveOptions, refused: UnsupportedError): Promise<BackendObservation> {
  try {
    return await byPtrace(options, `notify is refused: ${refused.message.replace(/^Cannot record: /, '')}`);
  } catch (error) {
    throw error instanceof UnsupportedError ? refused : error;
  }
}

async function byPtrace(options: ObserveOptions, why: string): Promise<BackendObservation> {
  const { traceByPtrace } = await import('./ptrace.ts');
  return withUnseen(await traceByPtrace(options), 'ptrace', why);
}

async function byEbpf(options: ObserveOptions, why: string): Promise<BackendObservation> {
  const { traceAndObserve } = await import('./ebpf.ts');
  return { ...(await traceAndObserve(options)), backend: 'ebpf', why, unseen: [] };
}

function withUnseen(observation: Observation, backend: 'notify' | 'ptrace', why: string): BackendObservation {
  return { ...observation, backend, why, unseen: unseenBy(backend, observation.installers ?? []) };
}
