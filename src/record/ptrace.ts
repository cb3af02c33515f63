import { inheritedDescriptors } from '../kernel/descriptors.ts';
import type { Observed, Progress } from '../observe/protocol.ts';
import { superviseCommand } from '../observe/session.ts';
import { traceAllFilter } from '../observe/trace-loop.ts';
import { NOTHING, type Observation, type ObserveOptions } from './notify.ts';
import { prepareSign } from './ready-sign.ts';

/** The recorder for kernels without user notification, and for places that refuse it: one ptrace(2) stop a call. */

/**
 * Runs a command and observes all system calls of it and its descendants, until the last of them is gone.
 *
 * @throws as superviseCommand; {UnsupportedError} we may not trace, or an outer filter hides all calls
 */
export async function traceByPtrace({
  command,
  descriptors = inheritedDescriptors(),
  onProgress,
  args = false,
  ready,
}: ObserveOptions): Promise<Observation> {
  const sign = ready && prepareSign(ready, descriptors);
  try {
    const { observed, status, path, error } = await superviseCommand<Observed, Progress>({
      command,
      worker: 'trace',
      workerOptions: { args, ...(sign && { ready: sign.options }) },
      filter: traceAllFilter(),
      isTraced: true,
      purpose: 'record',
      nothing: NOTHING,
      descriptors,
      ...(sign?.renamed && { renamed: sign.renamed }),
      ...(onProgress ? { onEvent: onProgress } : {}),
    });
    return { ...observed, status, path, error };
  } finally {
    sign?.close();
  }
}
