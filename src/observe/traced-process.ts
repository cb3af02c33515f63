import { UsageError } from '../base/errors.ts';
import type { Observed } from './protocol.ts';
import type { Supervised } from './session.ts';
import { openTracer } from './tracer.ts';

/** A process that runs already, observed by eBPF: it is not disturbed, neither when that begins nor when it ends. */

const READ_MS = 20;

/**
 * Counts the system calls of a process and its threads until it is gone, or until SIGINT or SIGTERM.
 *
 * @param children - and of all that it starts from now on
 * @param args - see traceCommand
 * @throws {UnsupportedError} no eBPF here
 * @throws {UsageError} `no_process`
 */
export async function traceProcess(pid: number, children: boolean, args: boolean): Promise<Supervised<Observed>> {
  const tracer = await openTracer(args);
  let isAsked = false;
  const stop = () => {
    isAsked = true;
  };
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, stop);
  try {
    const path = tracer.observeRunning(pid, children);
    if (path === undefined)
      throw new UsageError('no_process', `Cannot record process ${pid}: it has gone, or is a thread of the kernel`);
    let calls = tracer.read();
    while (!isAsked && tracer.hasProcesses) {
      await new Promise((resolve) => setTimeout(resolve, READ_MS));
      calls = tracer.read();
    }
    const observed: Observed = { calls, boundary: 'exec', results: tracer.results(), isSynchronous: false };
    return { observed, status: { code: 0 }, path, error: tracer.loss };
  } finally {
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.off(name, stop);
    tracer.close();
  }
}
