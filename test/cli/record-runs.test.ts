import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { parsePolicy } from '../../src/policy/parse.ts';
import { parseHistory } from '../../src/record/evidence.ts';
import { temporaryFolder } from '../support/folders.ts';
import { compileC } from '../support/programs.ts';
import { SELKIE, selkie } from '../support/selkie.ts';

const folder = temporaryFolder();
const historyOf = (name: string) => parseHistory(readFileSync(join(folder, `${name}.evidence.json`), 'utf8'), name);
const policyText = (name: string) => readFileSync(join(folder, `${name}.yaml`), 'utf8');

/** Makes a call of its own in the run whose number is given: a file counts them. */
const COUNTING = compileC(
  folder,
  'counting',
  `#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
int main(int argc, char **argv) {
  struct stat s;
  int fd = open(argv[1], O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (write(fd, "x", 1) != 1 || fstat(fd, &s) != 0) return 1;
  if (s.st_size == atoi(argv[2])) getsid(0);
  if (s.st_size == atoi(argv[2]) + 2) sync();
  return s.st_size == 2 ? 3 : s.st_size == 3 ? 4 : 0; }`,
);

test('record --runs: as many runs, their history, which call one alone showed, the first status that is not 0', () => {
  const words = ['--runs', '7', '--json', '-o', 'runs.yaml', COUNTING, join(folder, 'count-runs'), '4'];
  const { status, stderr } = selkie(['record', ...words], { cwd: folder });
  assert.equal(status, 3, stderr);
  assert.equal(readFileSync(join(folder, 'count-runs'), 'utf8').length, 7);
  // The first run, the 4th (getsid), the 6th (sync).
  assert.deepEqual(historyOf('runs'), { runs: 7, quiet: [2, 1, 1] });
  const { completeness, recorded } = JSON.parse(stderr);
  assert.deepEqual(completeness.once, ['getsid', 'sync']);
  assert.equal(completeness.estimate, 2 / 7);
  assert.equal(completeness.newRuns, 3);
  assert.ok(recorded.includes('getsid') && recorded.includes('sync'));
});

test('record --merge goes on counting', () => {
  const words = ['--merge', '--runs', '2', '-o', 'runs.yaml', COUNTING, join(folder, 'count-runs'), '100'];
  const { status, stderr } = selkie(['record', ...words], { cwd: folder });
  assert.equal(status, 0, stderr);
  assert.deepEqual(historyOf('runs'), { runs: 9, quiet: [2, 1, 3] });
  assert.match(stderr, /a further run like these 9 .*estimated 22 %/);
});

test('record --until-stable stops where the bound is 10 %, and at the most runs', () => {
  const stable = ['--until-stable', '-q', '-o', 'stable.yaml', 'true'];
  assert.equal(selkie(['record', ...stable], { cwd: folder }).status, 0);
  // ln 0.025 / ln 0.9 = 35.01
  assert.deepEqual(historyOf('stable'), { runs: 37, quiet: [36] });
  const few = ['--until-stable', '--runs', '3', '-q', '-o', 'few.yaml', 'true'];
  assert.equal(selkie(['record', ...few], { cwd: folder }).status, 0);
  assert.deepEqual(historyOf('few'), { runs: 3, quiet: [2] });
});

for (const runs of ['0', '-1', 'x', '1.5', '10000000'])
  test(`record --runs=${runs} is refused`, () => {
    const { status, stderr } = selkie(['record', `--runs=${runs}`, 'true'], { cwd: folder });
    assert.equal(status, 125);
    assert.match(stderr, /Cannot record '.*' runs: wanted a number/);
  });

test('SIGTERM ends the run that is going on and starts no other; all runs before it are kept', async () => {
  const count = join(folder, 'count-term');
  writeFileSync(count, '');
  const shell = `echo x >> ${count}; exec sleep 0.3`;
  const words = [SELKIE, 'record', '-q', '--runs', '50', '-o', 'term.yaml', 'sh', '-c', shell];
  const child = spawn(process.execPath, words, { cwd: folder, stdio: 'ignore', detached: true });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  while (readFileSync(count, 'utf8').length < 6) await sleep(20);
  child.kill('SIGTERM');
  await ended;
  const runs = historyOf('term')?.runs ?? 0;
  assert.equal(readFileSync(count, 'utf8').length, 2 * runs);
  assert.ok(runs >= 3 && runs < 10, `${runs}`);
  parsePolicy(policyText('term'));
});
