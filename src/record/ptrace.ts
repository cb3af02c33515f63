import type { Observed, Progress } from '../observe/protocol.ts';
import { superviseCommand } from '../observe/session.ts';
import { traceAllFilter } from '../observe/trace-loop.ts';
import { NOTHING, type Observation, type ObserveOptions } from './notify.ts';

/** The recorder for kernels without user notification, and for places that refuse it: one ptrace(2) stop a call. */

/**
 * Runs a command and observes all system calls of it and its descendants, until the last of them is gone.
 *
 * @throws as superviseCommand; {UnsupportedError} we may not trace, or an outer filter hides all calls
 */
export async function traceByPtrace({
  command,
  descriptors,
  onProgress,
  args = false,
}: ObserveOptions): Promise<Observation> {
  const supervised = await superviseCommand<Observed, Progress>({
    command,
    worker: 'trace',
    workerOptions: { args },
    filter: traceAllFilter(),
    isTraced: true,
    purpose: 'record',
    nothing: NOTHING,
    ...(descriptors ? { descriptors } : {}),
    ...(onProgress ? { onEvent: onProgress } : {}),
  });
  const { observed, status, path, error } = supervised;
  return { ...observed, status, path, error };
}
