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

const SHELL = 'ls / > /dev/null; exec sleep 60';

/** To Selkie alone, or to its whole process group, as a terminal or a service manager does. */
type Whom = 'alone' | 'group';

/** Records until the signal is sent, once `isDue`, and waits for the end. */
async function interrupted(
  words: readonly string[],
  signal: NodeJS.Signals,
  isDue: () => boolean,
  whom: Whom = 'alone',
): Promise<void> {
  const all = [SELKIE, 'record', '-q', ...words];
  const child = spawn(process.execPath, all, { cwd: folder, stdio: 'ignore', detached: true });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  for (let wait = 0; wait < 500 && !isDue(); wait += 1) await sleep(20);
  process.kill((whom === 'group' ? -1 : 1) * (child.pid as number), signal);
  await ended;
}

const ofShell = (name: string, ...more: string[]) => [...more, '-o', `${name}.yaml`, 'sh', '-c', SHELL];

/** Due after some seconds: what the shell does is done then. */
function afterMs(ms: number): () => boolean {
  const begin = Date.now();
  return () => Date.now() - begin > ms;
}

function requireWhatWasSeen(name: string): void {
  const permitted = permittedLines(parsePolicy(read(`${name}.yaml`)));
  // ls, and what sleep waits in.
  for (const call of ['getdents64', 'clock_nanosleep']) assert.ok(permitted.includes(call), `${name}: ${call}`);
  const exes = new Set(parseEvidence(read(`${name}.evidence.json`), name).map(({ exe }) => exe.split('/').at(-1)));
  assert.ok(exes.has('ls') && exes.has('sleep'), [...exes].join());
}

const ebpf =
  process.getuid?.() === 0 && existsSync('/sys/kernel/btf/vmlinux') ? false : 'eBPF needs root and a kernel with BTF';
const BACKENDS = [
  ['notify', false],
  ['ebpf', ebpf],
] as const;

for (const [backend, skip] of BACKENDS) {
  const by = ['--backend', backend];

  test(`SIGKILL of Selkie leaves a valid policy and evidence of what was seen, no run without anything new: ${backend}`, {
    skip,
  }, async () => {
    const name = `killed-${backend}`;
    await interrupted(ofShell(name, ...by), 'SIGKILL', () => existsSync(join(folder, `${name}.yaml`)));
    requireWhatWasSeen(name);
    assert.deepEqual(parseHistory(read(`${name}.evidence.json`), name), { runs: 1, quiet: [0] });
  });

  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    for (const whom of ['alone', 'group'] as const)
      test(`${signal} (${whom}) leaves a valid policy and evidence of what was seen: ${backend}`, {
        skip,
      }, async () => {
        const name = `${signal}-${whom}-${backend}`;
        await interrupted(ofShell(name, ...by), signal, afterMs(1500), whom);
        requireWhatWasSeen(name);
      });
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGKILL'] as const)
  test(`${signal} to a recording of a process that runs leaves a valid policy of what was seen`, {
    skip: ebpf,
  }, async () => {
    const watched = spawn('sh', ['-c', 'while :; do ls / > /dev/null; sleep 0.1; done'], { stdio: 'ignore' });
    try {
      const name = `running-${signal}`;
      const words = ['--pid', `${watched.pid}`, '--children', '-o', `${name}.yaml`];
      const isThere = () => existsSync(join(folder, `${name}.yaml`));
      await interrupted(words, signal, signal === 'SIGKILL' ? isThere : afterMs(1500));
      requireWhatWasSeen(name);
    } finally {
      watched.kill('SIGKILL');
    }
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
