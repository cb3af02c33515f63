import { existsSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import type { ReceiveOptions } from './protocol.ts';

/** Starts the receiving worker: worker.js beside this file, or one folder up where the command line's bundle has its chunks. */
export function startReceiver(options: ReceiveOptions): Worker {
  const beside = new URL('./worker.js', import.meta.url);
  const file = existsSync(beside) ? beside : new URL('../worker.js', import.meta.url);
  // Else Node would pipe the worker's output to process.stdout, which sets O_NONBLOCK on pipes that the target shares.
  return new Worker(file, { workerData: options, stdout: true, stderr: true });
}
