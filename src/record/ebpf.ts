import { inheritedDescriptors } from '../kernel/descriptors.ts';
import { requireX8664 } from '../kernel/libc.ts';
import type { Progress } from '../observe/protocol.ts';
import { traceCommand } from '../observe/traced-command.ts';
import { traceRunning } from '../observe/traced-process.ts';
import type { Observation, ObserveOptions } from './notify.ts';

/** The recorder that costs least, where Selkie may load eBPF programs: see observe/tracer.ts. */

/**
 * Runs a command and observes all system calls of it and its descendants, until the last of them is gone; or those of what runs already.
 *
 * @throws as traceCommand and traceRunning
 */
export async function traceAndObserve(options: ObserveOptions): Promise<Observation> {
  requireX8664('record by eBPF', 'record the command itself, with --backend notify');
  const { command, descriptors = inheritedDescriptors(), onProgress, running, args = false } = options;
  const see = (progress: Progress): void => onProgress?.(progress);
  if (running !== undefined) {
    const { observed, ...rest } = await traceRunning(running, args, see);
    return { ...observed, ...rest };
  }
  const { observed, status, path, error } = await traceCommand(command, descriptors, args, see);
  return { ...observed, status, path, error };
}
