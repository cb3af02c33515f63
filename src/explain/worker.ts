import { decodeProgram } from '../bpf/codec.ts';
import type { ReceiveOptions } from '../observe/protocol.ts';
import { runWorker } from '../observe/run-worker.ts';
import { type Denial, ExplainServer } from './server.ts';

/** The worker thread of `run --explain`. `program` is the policy's, encoded. */
runWorker<ReceiveOptions & { readonly program: Uint8Array }, readonly Denial[], Denial>(
  ({ program }, tell) => new ExplainServer(decodeProgram(program), tell),
);
