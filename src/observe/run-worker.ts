import { parentPort, workerData } from 'node:worker_threads';
import { SyscallError } from '../base/errors.ts';
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
    if (isBeforeContinue(error)) post({ kind: 'refused', errno: EINVAL });
    post({ kind: 'failed', error: failure });
  }
  post({ kind: 'done', observed: server.result() });
  if (failure !== undefined) receiver.waitForWake();
  receiver.close();
}

const EINVAL = 22;

/** SECCOMP_USER_NOTIF_FLAG_CONTINUE came in 5.5; the first call that is let through is the guard's execve: nothing was executed. */
function isBeforeContinue(error: unknown): boolean {
  return error instanceof SyscallError && error.call === 'SECCOMP_IOCTL_NOTIF_SEND' && error.errno === EINVAL;
}
