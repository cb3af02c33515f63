// A hundred programs, each recorded once, sealed, and run again and again under load: with the floors of their runtimes, and without.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { sealWithPolicy } from '../../src/apply/with-policy.ts';
import { findExecutable } from '../../src/kernel/command.ts';
import { loadPolicy } from '../../src/load/filter.ts';
import { type CorpusProgram, corpus } from '../support/corpus.ts';
import { temporaryFolder } from '../support/folders.ts';
import { loadCpus } from '../support/load.ts';
import { selkie } from '../support/selkie.ts';

const RUNS = Number(process.env.SELKIE_CORPUS_RUNS ?? 100);
const folder = temporaryFolder();

/** What differs from run to run in real life; recorded is the first alone. */
const ENVIRONMENTS: readonly NodeJS.ProcessEnv[] = [
  {},
  { LC_ALL: 'C.UTF-8', TZ: 'Europe/Berlin' },
  { LANG: 'de_DE.UTF-8', LANGUAGE: 'de', RUST_BACKTRACE: '1', PYTHONDONTWRITEBYTECODE: '' },
  { LC_ALL: 'C', MALLOC_ARENA_MAX: '1', GOMAXPROCS: '8', GOGC: '1' },
];

/** A run: its exit code and whether it complained. */
function outcome(file: string, { command: [name = '', ...args] }: CorpusProgram, run: number): string {
  const env = { ...process.env, ...ENVIRONMENTS[run % ENVIRONMENTS.length] };
  const result = spawnSync(file, args, { argv0: name, encoding: 'utf8', input: '', cwd: '/', env, timeout: 60_000 });
  const refusal = /.*(not permitted|not implemented).*/i.exec(result.stderr)?.[0] ?? '';
  return `${result.signal ?? result.status} ${refusal}`.trim();
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
  selkie(['record', '-q', '-o', policy, ...options, ...program.command], { input: '', cwd: '/' });
  const output = `${place}-${basename(word)}`;
  const { path } = sealWithPolicy({ binary: realpathSync(findExecutable(word)), policy: loadPolicy(policy), output });
  return { file: path, policy };
}

/** What `run --explain` says of a run that failed: its last lines, one for each kind of denied call. */
function explanation({ policy }: Copy, { command }: CorpusProgram, run: number): string {
  const env = { ...process.env, ...ENVIRONMENTS[run % ENVIRONMENTS.length] };
  const { stderr } = selkie(['explain', '-p', policy, ...command], { input: '', cwd: '/', env });
  return /^selkie: kinds of denied calls:[\s\S]*/m.exec(stderr)?.[0] ?? stderr;
}

test(`recorded once and sealed, at least 99.9 % of ${RUNS} runs each are good`, () => {
  const programs = corpus(folder);
  const good = { with: 0, without: 0 };
  const lines: string[] = [];
  for (const [index, program] of programs.entries()) {
    const original = findExecutable(program.command[0] ?? '');
    const wanted = ENVIRONMENTS.map((_, run) => outcome(original, program, run));
    const copies = { with: sealed(program, index), without: sealed(program, index, '--no-floor') };
    const unload = loadCpus(availableParallelism());
    try {
      for (const kind of ['with', 'without'] as const) {
        const bad = new Map<string, number>();
        for (let run = 0; run < RUNS; run += 1) {
          const got = outcome(copies[kind].file, program, run);
          const expected = wanted[run % wanted.length];
          if (got === expected) good[kind] += 1;
          else {
            const words = `${got} instead of ${expected}`;
            if (!bad.has(words)) lines.push(explanation(copies[kind], program, run));
            bad.set(words, (bad.get(words) ?? 0) + 1);
          }
        }
        for (const [got, times] of bad) lines.push(`${kind} floor: ${program.name}: ${times} of ${RUNS}: ${got}`);
      }
    } finally {
      unload();
    }
    const runs = (index + 1) * RUNS;
    console.log(`${index + 1}/${programs.length} ${program.name}: ${good.with} and ${good.without} of ${runs} good`);
  }
  const all = RUNS * programs.length;
  const share = (count: number): string => `${count} of ${all} (${((100 * count) / all).toFixed(2)} %)`;
  console.log(lines.join('\n'));
  console.log(`${programs.length} programs: good with floors ${share(good.with)}, without ${share(good.without)}`);
  assert.ok(programs.length >= 100, String(programs.length));
  assert.ok(good.with >= 0.999 * all);
});
