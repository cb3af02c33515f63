import { existsSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import type { ReceiveOptions } from './protocol.ts';

/** Who serves the calls: `record` counts them, `explain` answers denied ones, `lift` notes installations of filters, `trace` counts them by ptrace. */
export type WorkerKind = 'record' | 'trace' | 'explain' | 'lift';

/** Where the worker is: beside this file's folder, or one folder up where the command line's bundle has its chunks. */
const FILES: { readonly [K in WorkerKind]: readonly [string, string] } = {
  record: ['./worker.js', '../worker.js'],
  trace: ['./trace-worker.js', '../trace-worker.js'],
  explain: ['../explain/worker.js', '../explain-worker.js'],
  lift: ['../lift/worker.js', '../lift-worker.js'],
};

/** Starts a receiving worker. */
export function startReceiver(kind: WorkerKind, options: ReceiveOptions): Worker {
  const [module, bundled] = FILES[kind].map((file) => new URL(file, import.meta.url)) as [URL, URL];
  // Else Node would pipe the worker's output to process.stdout, which sets O_NONBLOCK on pipes that the target shares.
  const file = existsSync(module) ? module : bundled;
  // Options of this process (--input-type, --import, --eval's) are for the program of whoever uses the library.
  return new Worker(file, { workerData: options, stdout: true, stderr: true, execArgv: [] });
}
