// Runs one piece of work in a process of its own and tells what it took: a crash, an overflow or a hang must not take the test with it.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from './selkie.ts';

export interface Taken {
  /** `cannot_tell` and other codes of errors, or `answered`. */
  readonly outcome: string;
  /** Processor time in seconds, user and system. */
  readonly seconds: number;
  readonly mebibytes: number;
}

/** What is done with a program. */
export type Work = 'diagram' | 'disasm' | 'diff' | 'prove' | 'lift';

/** Does one work on one hostile program (test/support/hostile-programs.ts) and measures it. */
export function measured(name: string, work: Work): Taken {
  const file = join(ROOT, 'build/test/support/bounded-child.js');
  const { status, stdout, stderr } = spawnSync(process.execPath, [file, name, work], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  if (status !== 0) throw new Error(`${work} of ${name}: ${status}: ${stderr}`);
  return JSON.parse(stdout) as Taken;
}
