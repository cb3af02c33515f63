import { parentPort, workerData } from 'node:worker_threads';
import type { ReceiveMessage, ReceiveOptions } from './protocol.ts';
import { type CallServer, Receiver } from './receive.ts';

/**
 * The body of a receiving worker thread. Whatever happens, it hands over what was seen.
 *
 * @param create - makes the server of calls; `tell` sends an event to the thread that started us
 */
export function runWorker<O extends ReceiveOptions, R, E>(
  create: (options: O, tell: (event: E) => void) => CallServer<R>,
): void {
  const post = (message: ReceiveMessage<R, E>): void => parentPort?.postMessage(message);
  const options = workerData as O;
  const server = create(options, (event) => post({ kind: 'event', event }));
  const receiver = new Receiver(options, server, post);
  let failure: Error | undefined;
  try {
    receiver.run();
  } catch (error) {
    failure = error instanceof Error ? error : new Error(String(error));
    post({ kind: 'failed', error: failure });
  }
  post({ kind: 'done', observed: server.result() });
  if (failure !== undefined) receiver.waitForWake();
  receiver.close();
}
