import { type SpawnSyncOptions, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The project's folder; this file runs as build/test/support/selkie.js. */
export const ROOT: string = fileURLToPath(new URL('../../../', import.meta.url));
export const SELKIE: string = join(ROOT, 'bin/selkie');

export interface Finished {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export type RunOptions = SpawnSyncOptions & { readonly nobody?: boolean };

/** Runs a command to its end; with `nobody` as uid 65534 without any group or capability. */
export function runCommand(command: readonly string[], options: RunOptions = {}): Finished {
  const { nobody, ...spawnOptions } = options;
  const words = nobody ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', ...command] : [...command];
  const [file = '', ...rest] = words;
  const result = spawnSync(file, rest, { encoding: 'utf8', ...spawnOptions });
  if (result.error) throw result.error;
  return { status: result.status, signal: result.signal, stdout: String(result.stdout), stderr: String(result.stderr) };
}

/** Runs this checkout's selkie. */
export function selkie(words: readonly string[], options: RunOptions = {}): Finished {
  return runCommand([process.execPath, SELKIE, ...words], options);
}
