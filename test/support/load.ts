import { type ChildProcess, spawn } from 'node:child_process';

/** Keeps every CPU busy until the returned function is called. */
export function loadCpus(count: number): () => void {
  const loops: ChildProcess[] = [];
  for (let index = 0; index < count; index += 1)
    loops.push(spawn('sh', ['-c', 'while :; do :; done'], { stdio: 'ignore' }));
  return () => {
    for (const loop of loops) loop.kill('SIGKILL');
  };
}
