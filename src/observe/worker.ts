import { parentPort, workerData } from 'node:worker_threads';
import type { ReceiveMessage, ReceiveOptions } from './protocol.ts';
import { Receiver } from './receive.ts';

/** The worker thread of a recording. Whatever happens, it hands over what was seen. */

const post = (message: ReceiveMessage): void => parentPort?.postMessage(message);

const receiver = new Receiver(workerData as ReceiveOptions, post);
let failure: Error | undefined;
try {
  receiver.run();
} catch (error) {
  failure = error instanceof Error ? error : new Error(String(error));
  post({ kind: 'failed', error: failure });
}
post({ kind: 'done', observed: receiver.observed() });
if (failure !== undefined) receiver.waitForWake();
receiver.close();
