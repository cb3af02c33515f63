import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Evidence, parseEvidence } from '../../src/record/evidence.ts';
import { SELKIE } from './selkie.ts';

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** What a recording of something that runs already gave. */
export interface RunningRecorded {
  readonly status: number | null;
  readonly stderr: string;
  readonly evidence: readonly Evidence[];
  /** Of the calls in it. */
  readonly numbers: ReadonlySet<number>;
}

let runs = 0;

/**
 * Records until it ends, or `act` has; `act` begins when the programs are attached.
 *
 * @param words - what is recorded: `--cgroup`, `--container`
 * @param prefix - of the command, which must become it
 */
export async function recordRunning(
  folder: string,
  words: readonly string[],
  act: (selkie: ChildProcess) => Promise<void> = stop,
  prefix: readonly string[] = [],
): Promise<RunningRecorded> {
  runs += 1;
  const policy = join(folder, `run-${runs}.yaml`);
  const command = [...prefix, process.execPath, SELKIE, 'record', '--json', '-o', policy, ...words];
  const selkie = spawn(command[0] ?? '', command.slice(1), { stdio: 'pipe' });
  let stderr = '';
  selkie.stderr?.setEncoding('utf8').on('data', (text) => {
    stderr += text;
  });
  const ended = new Promise<number | null>((resolve) => selkie.once('exit', resolve));
  while (selkie.exitCode === null && !isAttached(selkie)) await pause(10);
  await pause(100);
  await act(selkie);
  const timer = setTimeout(() => selkie.kill('SIGKILL'), 20_000);
  const status = await ended;
  clearTimeout(timer);
  const file = policy.replace('.yaml', '.evidence.json');
  const evidence = existsSync(file) ? parseEvidence(readFileSync(file, 'utf8'), file) : [];
  return { status, stderr, evidence, numbers: new Set(evidence.map(({ nr }) => nr)) };
}

function isAttached({ pid }: ChildProcess): boolean {
  const { stdout } = spawnSync('sh', ['-c', `grep -l ^link_type: /proc/${pid}/fdinfo/* 2>/dev/null | wc -l`]);
  return Number(stdout) >= 6;
}

/** Ends a recording that has seen a while. */
export async function stop(selkie: ChildProcess): Promise<void> {
  await pause(400);
  selkie.kill('SIGINT');
}
