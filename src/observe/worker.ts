import { CountingServer } from './counting-server.ts';
import type { Observed, Progress, ReceiveOptions } from './protocol.ts';
import { runWorker } from './run-worker.ts';

/** The worker thread of a recording. */
runWorker<ReceiveOptions, Observed, Progress>(({ launcher }, tell) => new CountingServer(launcher, tell));
