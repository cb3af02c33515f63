import { requireX8664 } from '../kernel/libc.ts';
import { traceAllFilter } from '../observe/trace-loop.ts';
import { type Observation, type ObserveOptions, superviseRecording } from './notify.ts';

/** The recorder for kernels without user notification, and for places that refuse it: one ptrace(2) stop a call. */

/**
 * Runs a command and observes all system calls of it and its descendants, until the last of them is gone.
 *
 * @throws as superviseCommand; {UnsupportedError} we may not trace, or an outer filter hides all calls
 */
export async function traceByPtrace(options: ObserveOptions): Promise<Observation> {
  requireX8664('record by ptrace', 'use --backend notify');
  return superviseRecording(options, { worker: 'trace', filter: traceAllFilter(), isTraced: true });
}
