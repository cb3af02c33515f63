import { inheritedDescriptors } from '../kernel/descriptors.ts';
import type { Observed, Progress } from '../observe/protocol.ts';
import type { ReadySign } from '../observe/ready.ts';
import { type ExitStatus, type SuperviseOptions, superviseCommand } from '../observe/session.ts';
import type { Running } from '../observe/traced-process.ts';
import { prepareSign } from './ready-sign.ts';

export { type ExitStatus, exitCodeOf } from '../observe/session.ts';

/** The recorder that needs no rights: every call of the target and its descendants is notified, counted, and let through. */

export interface ObserveOptions {
  /** The command and its arguments; the first word is searched in PATH. */
  readonly command: readonly string[];
  /** Those of ours that the command shall have; absent: see SuperviseOptions. */
  readonly descriptors?: readonly number[];
  /** Tell calls apart by their selector arguments (facts/selectors.ts). */
  readonly args?: boolean;
  /** Called meanwhile; see Progress. */
  readonly onProgress?: (progress: Progress) => void;
  /** What says that the command is ready, and so begins the phase `service`. Not with eBPF. */
  readonly ready?: ReadySign;
  /** Calls that run natively and are not counted; see known-calls.ts. By ptrace and eBPF all are counted. */
  readonly known?: readonly string[];
  /** Instead of running the command, which only names it: what runs already. Needs eBPF. */
  readonly running?: Running;
}

export interface Observation extends Observed {
  readonly status: ExitStatus;
  /** The path that was executed. */
  readonly path: string;
  /** Something of Selkie's own failed on the way: the target was killed, and what had been seen is here. */
  readonly error: Error | undefined;
}

/** What a recording has seen that could not begin. */
const NOTHING: Observed = { calls: 0, boundary: 'exec', results: [], isSynchronous: false };

/** How calls reach the worker. */
interface Way extends Pick<SuperviseOptions<Observed, Progress>, 'worker' | 'filter' | 'isTraced'> {
  /** Known calls are not notified. */
  readonly hasKnown?: boolean;
}

/** What both recorders that supervise a command do. @throws as superviseCommand */
export async function superviseRecording(
  { command, descriptors = inheritedDescriptors(), onProgress, args = false, ready }: ObserveOptions,
  { hasKnown = false, ...way }: Way,
): Promise<Observation> {
  const sign = ready && prepareSign(ready, descriptors);
  try {
    const { observed, status, path, error } = await superviseCommand<Observed, Progress>({
      ...way,
      command,
      purpose: 'record',
      nothing: NOTHING,
      descriptors,
      workerOptions: { args, ...(sign && { ready: sign.options }), hasKnown },
      ...(sign?.renamed && { renamed: sign.renamed }),
      ...(onProgress ? { onEvent: onProgress } : {}),
    });
    return { ...observed, status, path, error };
  } finally {
    sign?.close();
  }
}

/**
 * Runs a command and observes all system calls of it and its descendants, until the last of them is gone.
 *
 * @throws as superviseCommand
 */
export async function observeCommand(options: ObserveOptions): Promise<Observation> {
  // Before an import opens files.
  const { known = [], descriptors = inheritedDescriptors() } = options;
  const filter = known.length > 0 ? (await import('./recording-filter.ts')).recordingFilter(known) : undefined;
  return superviseRecording(
    { ...options, descriptors },
    { worker: 'record', hasKnown: filter !== undefined, ...(filter && { filter }) },
  );
}
