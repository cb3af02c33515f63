import { type ChildProcess, spawnSync } from 'node:child_process';

/** The tracepoints that every recording by eBPF observes: sys_enter, sys_exit, and fork, exec and exit of processes. */
const LEAST_LINKS = 5;

/** Waits until a Selkie that records by eBPF has attached its programs, or has ended. */
export async function untilAttached(selkie: ChildProcess): Promise<void> {
  while (selkie.exitCode === null && selkie.signalCode === null && !isAttached(selkie)) await pause(20);
  await pause(100);
}

function isAttached({ pid }: ChildProcess): boolean {
  const { stdout } = spawnSync('sh', ['-c', `grep -l ^link_type: /proc/${pid}/fdinfo/* 2>/dev/null | wc -l`]);
  return Number(stdout) >= LEAST_LINKS;
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
