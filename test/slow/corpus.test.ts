// A hundred programs, each recorded once, sealed, and run again and again under load: with the floors of their runtimes, and without.
import assert from 'node:assert/strict';
import { type SpawnOptionsWithStdioTuple, type StdioNull, type StdioPipe, spawn, spawnSync } from 'node:child_process';
import { realpathSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { sealWithPolicy } from '../../src/apply/with-policy.ts';
import { findExecutable } from '../../src/kernel/command.ts';
import { loadPolicy } from '../../src/load/filter.ts';
import { type CorpusProgram, corpus } from '../support/corpus.ts';
import { temporaryFolder } from '../support/folders.ts';
import { placeOfCopy } from '../support/java.ts';
import { loadCpus } from '../support/load.ts';
import { SELKIE, selkie } from '../support/selkie.ts';

const RUNS = Number(process.env.SELKIE_CORPUS_RUNS ?? 100);
const folder = temporaryFolder();

/** What differs from run to run in real life; recorded is the first alone. */
const ENVIRONMENTS: readonly NodeJS.ProcessEnv[] = [
  {},
  { LC_ALL: 'C.UTF-8', TZ: 'Europe/Berlin' },
  {
    LANG: 'de_DE.UTF-8',
    LANGUAGE: 'de',
    RUST_BACKTRACE: '1',
    PYTHONDONTWRITEBYTECODE: '',
    JAVA_TOOL_OPTIONS: '-XX:+UseZGC',
  },
  {
    LC_ALL: 'C',
    MALLOC_ARENA_MAX: '1',
    GOMAXPROCS: '8',
    GOGC: '1',
    UV_THREADPOOL_SIZE: '8',
    JAVA_TOOL_OPTIONS: '-XX:+UseSerialGC',
  },
];

/** No socket as standard input: bash would take it for a remote shell's and run ~/.bashrc. */
const SURROUNDINGS: SpawnOptionsWithStdioTuple<StdioNull, StdioPipe, StdioPipe> = {
  cwd: '/',
  stdio: ['ignore', 'pipe', 'pipe'],
};

/** Runs at a time, besides one endless loop for each CPU. */
const AT_ONCE = 2 * availableParallelism();

/** A run: its exit code and whether it complained. */
function outcome(file: string, { command: [name = '', ...args] }: CorpusProgram, run: number): Promise<string> {
  const env = { ...process.env, ...ENVIRONMENTS[run % ENVIRONMENTS.length] };
  const child = spawn(file, args, {
    ...SURROUNDINGS,
    argv0: name,
    env,
    timeout: 60_000,
    killSignal: 'SIGKILL',
    detached: true,
  });
  let complaints = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints += text;
  });
  child.stdout.resume();
  return new Promise((resolve, reject) => {
    child.on('exit', () => endGroup(child.pid));
    child.on('error', reject).on('close', (code, signal) => {
      const refusal = /.*(not permitted|not implemented).*/i.exec(complaints)?.[0] ?? '';
      resolve(`${signal ?? code} ${refusal}`.trim());
    });
  });
}

/** Children that outlive their parent keep its streams open. */
function endGroup(leader: number | undefined): void {
  try {
    if (leader !== undefined) process.kill(-leader, 'SIGKILL');
  } catch {
    // Nobody is left.
  }
}

/** Outcomes of all runs, in their order. */
async function outcomes(file: string, program: CorpusProgram, runs: number): Promise<readonly string[]> {
  const all: string[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let run = next++; run < runs; run = next++) all[run] = await outcome(file, program, run);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return all;
}

interface Copy {
  readonly file: string;
  readonly policy: string;
}

/** Records once, seals a copy. */
function sealed(program: CorpusProgram, index: number, ...options: readonly string[]): Copy {
  const [word = ''] = program.command;
  const place = join(folder, `${index}${options.join('')}`);
  const policy = `${place}.yaml`;
  selkie(['record', '-q', '-o', policy, ...options, ...program.command], SURROUNDINGS);
  const binary = realpathSync(findExecutable(word));
  const { path } = sealWithPolicy({ binary, policy: loadPolicy(policy), output: placeOfCopy(binary, place) });
  return { file: path, policy };
}

/** What `run --explain` says of a run that failed: its last lines, one for each kind of denied call. */
function explanation({ policy }: Copy, { command }: CorpusProgram, run: number): string {
  const env = { ...process.env, ...ENVIRONMENTS[run % ENVIRONMENTS.length] };
  // A program that is refused something may wait for ever; its denials were told as they came.
  const options = { ...SURROUNDINGS, env, timeout: 60_000, killSignal: 'SIGKILL', encoding: 'utf8' } as const;
  const { stderr } = spawnSync(process.execPath, [SELKIE, 'explain', '-p', policy, ...command], options);
  return /^selkie: kinds of denied calls:[\s\S]*/m.exec(stderr)?.[0] ?? stderr;
}

test(`recorded once and sealed, at least 99.9 % of ${RUNS} runs each are good`, async () => {
  const programs = corpus(folder).filter(({ name }) => name.includes(process.env.SELKIE_CORPUS_ONLY ?? ''));
  const good = { with: 0, without: 0 };
  for (const [index, program] of programs.entries()) {
    const original = findExecutable(program.command[0] ?? '');
    const wanted = await outcomes(original, program, ENVIRONMENTS.length);
    const copies = { with: sealed(program, index), without: sealed(program, index, '--no-floor') };
    const unload = loadCpus(availableParallelism());
    try {
      for (const kind of ['with', 'without'] as const) {
        const bad = new Map<string, number>();
        for (const [run, got] of (await outcomes(copies[kind].file, program, RUNS)).entries()) {
          const expected = wanted[run % wanted.length];
          if (got === expected) good[kind] += 1;
          else {
            const words = `${got} instead of ${expected}`;
            if (!bad.has(words)) console.log(explanation(copies[kind], program, run));
            bad.set(words, (bad.get(words) ?? 0) + 1);
          }
        }
        for (const [got, times] of bad) console.log(`${kind} floor: ${program.name}: ${times} of ${RUNS}: ${got}`);
        rmSync(copies[kind].file);
      }
    } finally {
      unload();
    }
    const runs = (index + 1) * RUNS;
    console.log(`${index + 1}/${programs.length} ${program.name}: ${good.with} and ${good.without} of ${runs} good`);
  }
  const all = RUNS * programs.length;
  const share = (count: number): string => `${count} of ${all} (${((100 * count) / all).toFixed(2)} %)`;
  console.log(`${programs.length} programs: good with floors ${share(good.with)}, without ${share(good.without)}`);
  if (process.env.SELKIE_CORPUS_ONLY === undefined) assert.ok(programs.length >= 100, String(programs.length));
  assert.ok(good.with >= 0.999 * all);
});
