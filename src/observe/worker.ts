import { CountingServer } from './counting-server.ts';
import type { CountingOptions, Observed, Progress } from './protocol.ts';
import { runWorker } from './run-worker.ts';

/** The worker thread of a recording. */
runWorker<CountingOptions, Observed, Progress>(({ launcher, args }, tell) => new CountingServer(launcher, tell, args));
