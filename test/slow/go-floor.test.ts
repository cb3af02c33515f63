import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { sealFile } from '../../src/apply/seal.ts';
import { detectGo } from '../../src/elf/go.ts';
import { FLOORS, goFloor } from '../../src/facts/floors.ts';
import { syscallNumber } from '../../src/facts/syscalls.ts';
import { observeCommand } from '../../src/record/notify.ts';
import { allowing } from '../support/filters.ts';
import { temporaryFolder } from '../support/folders.ts';

/**
 * Is the floor enough? A program recorded once, quietly, is sealed with what it called and the floor of its Go version and nothing
 * else (EPERM, and kill in a second round so that no refusal goes unnoticed), then run again and again on a busy machine.
 */

const programs = fileURLToPath(new URL('../../../test/programs/', import.meta.url));
const compilers = ['go', '/usr/lib/go-1.19/bin/go'];
const RUNS = 1000;
const REQUESTS = 20_000;

function build(go: string, program: string, folder: string): string {
  const path = join(folder, program);
  const env = { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false' };
  execFileSync(go, ['build', '-o', path, '.'], { cwd: join(programs, program), env });
  return path;
}

const numbers = (calls: readonly { name: string }[]): number[] =>
  calls.map(({ name }) => syscallNumber('x86_64', name)).filter((nr) => nr !== undefined);

/** Records one run and returns the sealed copies: what is not allowed fails, or kills. */
async function sealedCopies(binary: string, words: readonly string[]): Promise<string[]> {
  const observed = await observeCommand({ command: [binary, ...words] });
  assert.deepEqual(observed.status, { code: 0 });
  const own = observed.results.filter(({ phase }) => phase === 'program').map(({ nr }) => nr);
  const version = detectGo(readFileSync(binary))?.version ?? assert.fail('not recognised as Go');
  const allowed = [...new Set([...own, ...numbers(goFloor(version))])];
  const absent = numbers(FLOORS.fallback).filter((nr) => !allowed.includes(nr));
  return (['errno', 'kill'] as const).map((refusal) => {
    const output = `${binary}-${refusal}`;
    sealFile({ binary, output, program: allowing(allowed, absent, refusal), policyText: '' });
    return output;
  });
}

/** Keeps all processors busy while `work` runs. */
async function busily(work: () => void | Promise<void>): Promise<void> {
  const loops = cpus().map(() => spawn('sh', ['-c', 'while :; do :; done'], { stdio: 'ignore' }));
  try {
    await work();
  } finally {
    for (const loop of loops) loop.kill('SIGKILL');
  }
}

for (const go of compilers) {
  const skip = spawnSync(go, ['version']).status === 0 ? false : `missing here: ${go}`;

  test(`${go}: the story's program, recorded once, sealed with the floor, runs ${RUNS} of ${RUNS} times on a busy machine`, {
    skip,
  }, async () => {
    const folder = temporaryFolder();
    const copies = await sealedCopies(build(go, 'story', folder), []);
    await busily(() => {
      for (const copy of copies) {
        for (let run = 1; run <= RUNS; run += 1) {
          const { status, signal, stdout, stderr } = spawnSync(copy, { encoding: 'utf8' });
          assert.equal(stdout, 'I made the folder /tmp/moo\n', `run ${run}: ${status} ${signal} ${stderr}`);
          assert.equal(status, 0);
        }
      }
    });
  });

  test(`${go}: an HTTP server recorded with 8 requests answers ${REQUESTS} with collections forced`, {
    skip,
  }, async () => {
    const folder = temporaryFolder();
    const copies = await sealedCopies(build(go, 'go-http', folder), ['-requests', '8']);
    await busily(() => {
      for (const copy of copies) {
        const { stdout, stderr } = spawnSync(copy, ['-requests', String(REQUESTS)], { encoding: 'utf8' });
        assert.match(stdout, new RegExp(`answered ${REQUESTS}\n$`), stderr);
      }
    });
  });
}
