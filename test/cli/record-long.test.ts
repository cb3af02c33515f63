import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { parsePolicy } from '../../src/policy/parse.ts';
import { permittedLines } from '../../src/policy/permitted.ts';
import { parseEvidence, parseHistory } from '../../src/record/evidence.ts';
import { temporaryFolder } from '../support/folders.ts';
import { SELKIE, selkie } from '../support/selkie.ts';

const folder = temporaryFolder();
const read = (name: string) => readFileSync(join(folder, name), 'utf8');

/** Records a shell that prints before it sleeps; sends the signal once `isDue`, and waits for the end. */
async function interrupted(name: string, signal: NodeJS.Signals, isDue: () => boolean): Promise<void> {
  const words = ['record', '-q', '-o', `${name}.yaml`, 'sh', '-c', 'ls / > /dev/null; exec sleep 60'];
  const child = spawn(process.execPath, [SELKIE, ...words], { cwd: folder, stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  for (let wait = 0; wait < 500 && !isDue(); wait += 1) await sleep(20);
  child.kill(signal);
  await ended;
}

function requireWhatWasSeen(name: string): void {
  const permitted = permittedLines(parsePolicy(read(`${name}.yaml`)));
  // ls, and what sleep waits in.
  for (const call of ['getdents64', 'clock_nanosleep']) assert.ok(permitted.includes(call), `${name}: ${call}`);
  const exes = new Set(parseEvidence(read(`${name}.evidence.json`), name).map(({ exe }) => exe.split('/').at(-1)));
  assert.ok(exes.has('ls') && exes.has('sleep'), [...exes].join());
}

test('SIGKILL of Selkie leaves a valid policy and evidence of what was seen, which is no run without anything new', async () => {
  await interrupted('killed', 'SIGKILL', () => existsSync(join(folder, 'killed.yaml')));
  requireWhatWasSeen('killed');
  assert.deepEqual(parseHistory(read('killed.evidence.json'), 'killed'), { runs: 1, quiet: [0] });
});

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  test(`${signal} leaves a valid policy and evidence of what was seen`, async () => {
    const begin = Date.now();
    await interrupted(signal, signal, () => Date.now() - begin > 1000);
    requireWhatWasSeen(signal);
  });

test('record --progress: calls, their rate, different ones, the last new one and its age, each second', () => {
  const shell = 'sleep 2.2; mkdir made; sleep 2.2';
  const words = ['record', '-q', '-o', 'progress.yaml', '--progress', 'progress.txt', 'sh', '-c', shell];
  assert.equal(selkie(words, { cwd: folder }).status, 0);
  const lines = read('progress.txt').trimEnd().split('\n');
  assert.ok(lines.length >= 3 && lines.length <= 8, lines.join('\n'));
  const shape = /^(\d+) s: (\d+) calls \((\d+)\/s\), (\d+) different, the last new one (\w+) (\d+) s ago$/;
  const values = lines.map((line) => (shape.exec(line) ?? assert.fail(line)).slice(1));
  const [first = [], last = []] = [values[0], values.at(-1)];
  assert.ok(Number(last[1]) > Number(first[1]) && Number(last[3]) > Number(first[3]), lines.join('\n'));
  assert.equal(first[4], 'clock_nanosleep');
});

test('record --progress to what cannot be written is refused before the command runs', () => {
  const { status, stderr } = selkie(['record', '--progress', 'none/file', 'touch', 'ran'], { cwd: folder });
  assert.equal(status, 125);
  assert.match(stderr, /Cannot write progress to "none\/file"/);
  assert.equal(existsSync(join(folder, 'ran')), false);
});
