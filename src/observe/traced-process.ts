import { SelkieError, UsageError } from '../base/errors.ts';
import { type Cgroup, cgroupExists, cgroupsBelow, processesIn } from '../kernel/cgroups.ts';
import type { Observed, Progress } from './protocol.ts';
import type { Supervised } from './session.ts';
import { openTracer, type Tracer } from './tracer.ts';
import { TracerReading } from './tracer-reading.ts';

/** Processes that run already, observed by eBPF: they are not disturbed, neither when that begins nor when it ends. */

/** First calls of processes that are gone by then have an address only. */
const LOOK_MS = 20;

/** What runs already: a process, with or without what it starts from now on; or all that is and comes into a cgroup and those below it. */
export type Running = { readonly pid: number; readonly children: boolean } | { readonly cgroup: Cgroup };

/**
 * Counts the system calls of processes and their threads until SIGINT or SIGTERM, or until the process is gone, or the cgroup is removed:
 * into an empty one others may still come.
 *
 * @param args - see traceCommand
 * @throws {UnsupportedError} no eBPF here
 * @throws {UsageError} `no_process`
 * @throws {SelkieError} `nothing_seen`
 */
export async function traceRunning(
  running: Running,
  args: boolean,
  onProgress: (progress: Progress) => void,
): Promise<Supervised<Observed>> {
  const tracer = await openTracer(args, 'cgroup' in running ? running.cgroup : undefined);
  const reading = new TracerReading(tracer, onProgress);
  let isAsked = false;
  const stop = () => {
    isAsked = true;
  };
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, stop);
  try {
    const path = 'cgroup' in running ? observeCgroup(tracer, running.cgroup) : observeProcess(tracer, running);
    while (!isAsked && isThere(tracer, running)) {
      reading.look(false);
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    const calls = tracer.read();
    if (calls === 0) throw nothingSeen(path);
    const observed: Observed = { calls, boundary: 'exec', results: tracer.results(), isSynchronous: false };
    return { observed, status: { code: 0 }, path, error: tracer.loss };
  } finally {
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.off(name, stop);
    tracer.close();
  }
}

function observeProcess(
  tracer: Tracer,
  { pid, children }: { readonly pid: number; readonly children: boolean },
): string {
  const path = tracer.observeRunning(pid, children);
  if (path !== undefined) return path;
  throw new UsageError('no_process', `Cannot record process ${pid}: it has gone, or is a thread of the kernel`);
}

/** The programs see who comes and goes from now on; who is inside is told to them. */
function observeCgroup(tracer: Tracer, cgroup: Cgroup): string {
  for (const inside of cgroupsBelow(cgroup))
    for (const pid of processesIn(inside)) if (pid !== process.pid) tracer.observeRunning(pid, false);
  return cgroup.path;
}

function isThere(tracer: Tracer, running: Running): boolean {
  return 'cgroup' in running ? cgroupExists(running.cgroup) : tracer.hasProcesses;
}

/** A policy of nothing would permit nothing. */
function nothingSeen(path: string): SelkieError {
  const problem = `Cannot record "${path}": nothing there made a call in that time`;
  return new SelkieError('nothing_seen', `${problem}: record for longer, or while it has something to do`);
}
