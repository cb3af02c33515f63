import { traceCommand } from '../observe/traced-command.ts';
import type { Observation, ObserveOptions } from './notify.ts';

/** The recorder that costs least, where Selkie may load eBPF programs: see observe/tracer.ts. */

/**
 * Runs a command and observes all system calls of it and its descendants, until the last of them is gone.
 *
 * @throws as traceCommand
 */
export async function traceAndObserve({ command, onProgress }: ObserveOptions): Promise<Observation> {
  const { observed, status, path, error } = await traceCommand(command, onProgress ?? (() => undefined));
  return { ...observed, status, path, error };
}
