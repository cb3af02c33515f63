import { CountingServer } from './counting-server.ts';
import type { ReceiveOptions } from './protocol.ts';
import { runWorker } from './run-worker.ts';

/** The worker thread of a recording. */
runWorker<ReceiveOptions, ReturnType<CountingServer['result']>, number>(
  ({ launcher }, tell) => new CountingServer(launcher, tell),
);
