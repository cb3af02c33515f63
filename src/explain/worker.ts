import { decodeProgram } from '../bpf/codec.ts';
import type { ReceiveOptions } from '../observe/protocol.ts';
import { runWorker } from '../observe/run-worker.ts';
import { type Denial, type Denials, ExplainServer, type Rules } from './server.ts';

/** What the worker is given; programs are encoded. */
export type ExplainWorkerOptions = Omit<Rules, 'program' | 'afterExec'> & {
  readonly program: Uint8Array;
  readonly afterExec: Uint8Array;
};

/** The worker thread of `explain`. */
runWorker<ReceiveOptions & ExplainWorkerOptions, Denials, Denial>(
  ({ program, afterExec, notified, hasPolicy }, tell) =>
    new ExplainServer(
      { program: decodeProgram(program), afterExec: decodeProgram(afterExec), notified, hasPolicy },
      tell,
    ),
);
