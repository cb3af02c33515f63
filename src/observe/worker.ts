import { CountingServer } from './counting-server.ts';
import type { Observed, Progress, RecordWorkerOptions } from './protocol.ts';
import { runWorker } from './run-worker.ts';

/** The worker thread of a recording. */
runWorker<RecordWorkerOptions, Observed, Progress>(
  ({ launcher, ready, hasKnown = false }, tell) => new CountingServer(launcher, tell, { ready, hasKnown }),
);
