import { workerData } from 'node:worker_threads';
import { CountingServer } from './counting-server.ts';
import type { CountingOptions, Observed, Progress } from './protocol.ts';
import { runWorker } from './run-worker.ts';

const { args } = workerData as CountingOptions;
// The tables of names are of use for arguments alone.
const selectors = args ? (await import('./selectors-by-key.ts')).selectorsByKey : undefined;

/** The worker thread of a recording. */
runWorker<CountingOptions, Observed, Progress>(
  ({ launcher, ready, hasKnown = false }, tell) => new CountingServer(launcher, tell, { ready, hasKnown, selectors }),
);
