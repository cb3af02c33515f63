import { decodeProgram } from '../bpf/codec.ts';
import type { ReceiveOptions } from '../observe/protocol.ts';
import { runWorker } from '../observe/run-worker.ts';
import { type Denial, type Denials, ExplainServer, type Rules } from './server.ts';

/** What the worker is given; `program` is the policy's, encoded. */
export type ExplainWorkerOptions = Omit<Rules, 'program'> & { readonly program: Uint8Array };

/** The worker thread of `explain`. */
runWorker<ReceiveOptions & ExplainWorkerOptions, Denials, Denial>(
  ({ program, notified, hasPolicy }, tell) =>
    new ExplainServer({ program: decodeProgram(program), notified, hasPolicy }, tell),
);
