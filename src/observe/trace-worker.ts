import { parentPort, workerData } from 'node:worker_threads';
import { sendByte } from '../kernel/spawn.ts';
import type { CountingOptions, Observed, Progress, ReceiveMessage } from './protocol.ts';
import { HiddenCalls, TraceLoop } from './trace-loop.ts';

/** The worker thread of a recording by ptrace: it is the tracer. Its end, if it comes too early, is that of the traced processes. */

const EBUSY = 16;
const { socket, launcher, args, ready } = workerData as CountingOptions;
// The tables of names are of use for arguments alone.
const selectors = args ? (await import('./selectors-by-key.ts')).selectorsByKey : undefined;
const post = (message: ReceiveMessage<Observed, Progress>): void => parentPort?.postMessage(message);
const loop = new TraceLoop(launcher, (event) => post({ kind: 'event', event }), { ready, selectors });

function trace(pid: number): void {
  const attached = loop.attach(pid);
  if (attached < 0) {
    post({ kind: 'refused', errno: -attached, by: 'ptrace' });
    return;
  }
  post({ kind: 'started', pid });
  sendByte(socket);
  loop.run();
}

/** A number: the process to trace. Nothing: there is none. */
parentPort?.once('message', (pid: number | undefined) => {
  try {
    if (pid !== undefined) trace(pid);
  } catch (error) {
    if (error instanceof HiddenCalls) post({ kind: 'refused', errno: EBUSY });
    else post({ kind: 'failed', error: error instanceof Error ? error : new Error(String(error)) });
  }
  post({ kind: 'done', observed: loop.result() });
  parentPort?.close();
});
