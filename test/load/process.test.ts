import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { errnoName } from '../../src/kernel/libc.ts';
import { taskStatus } from '../../src/kernel/task-status.ts';
import { buildProgram } from '../support/builds.ts';
import { scratchFolder, temporaryFolder } from '../support/folders.ts';
import { SELKIE, selkie } from '../support/selkie.ts';
import { missingTools } from '../support/tools.ts';

const folder = temporaryFolder();
const skip = process.getuid?.() === 0 ? missingTools('gcc', 'setpriv') : 'needs root';

interface Victim {
  readonly pid: number;
  /** What the kernel answered to uname and getppid. */
  readonly errnos: readonly string[];
  readonly child: ChildProcess;
}

/** A process with three filters, which has made its calls. */
async function victim(context: TestContext, ...words: readonly string[]): Promise<Victim> {
  const { path } = buildProgram({ name: 'stacked', tool: 'gcc', flags: [] }, 'stacked.c', folder);
  const child = spawn(path, words, { stdio: ['ignore', 'pipe', 'inherit'] });
  context.after(() => child.kill('SIGKILL'));
  const [text] = await once(child.stdout, 'data');
  const errnos = String(text).trim().split(' ').map(Number).map(errnoName);
  return { pid: child.pid as number, errnos, child };
}

const stateOf = (pid: number): string | undefined => taskStatus(pid)?.state;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test('pid:N is what the kernel does there: all filters together, the newest one first', { skip }, async (context) => {
  const { pid, errnos } = await victim(context);
  const { status, stdout } = selkie(['simulate', '--json', '-p', `pid:${pid}`, 'uname()', 'getppid()', 'read()']);
  assert.equal(status, 1);
  const actions = JSON.parse(stdout).answers.map(({ action }: { action: string }) => action);
  assert.deepEqual(actions, [...errnos.map((name) => `errno(${name})`), 'allow']);
  assert.equal(selkie(['simulate', '-p', `pid:${pid}`, 'read()']).status, 0);
  const listing = selkie(['disasm', `pid:${pid}`]).stdout;
  const headings = listing.split('\n').filter((line) => line.startsWith('filter'));
  assert.deepEqual(headings, [
    'filter 1 of 3, the newest: 4 instructions',
    'filter 2 of 3: 4 instructions',
    'filter 3 of 3, the oldest: 4 instructions',
  ]);
  assert.deepEqual(listing.match(/errno\(\w+\)/g), ['errno(EDOM)', 'errno(EXDEV)', 'errno(EACCES)']);
  assert.equal(JSON.parse(selkie(['disasm', '--json', `pid:${pid}`]).stdout).programs.length, 3);
  assert.equal(stateOf(pid), 'S');
});

test('a process that was stopped stays stopped, and one that was not goes on', { skip }, async (context) => {
  const { pid, child } = await victim(context);
  child.kill('SIGSTOP');
  assert.equal(selkie(['disasm', `pid:${pid}`]).status, 0);
  assert.equal(stateOf(pid), 'T');
  child.kill('SIGCONT');
  assert.equal(selkie(['disasm', `pid:${pid}`]).status, 0);
  assert.equal(stateOf(pid), 'S');
});

test('whenever the reader is killed, its target is not left stopped', { skip }, async (context) => {
  const { pid } = await victim(context);
  const script = join(folder, 'read.mjs');
  const module = new URL('../../src/kernel/filters.js', import.meta.url);
  writeFileSync(script, `import { filtersOf } from '${module}'; for (;;) filtersOf(${pid});`);
  for (let round = 0; round < 15; round += 1) {
    const reader = spawn(process.execPath, [script], { stdio: 'ignore' });
    await pause(150 + 7 * round);
    reader.kill('SIGKILL');
    await once(reader, 'exit');
    await pause(50);
    assert.equal(stateOf(pid), 'S');
    assert.equal(taskStatus(pid)?.tracer, 0);
  }
});

test('a process that sleeps where nothing wakes it: said, and it goes on when it wakes', { skip }, async (context) => {
  const { pid } = await victim(context, 'vfork');
  const { status, stderr } = selkie(['disasm', `pid:${pid}`]);
  assert.equal(status, 125);
  assert.match(stderr, /does not stop \(state D\)/);
  await pause(2000);
  assert.equal(stateOf(pid), 'S');
});

test('a process without filters, and a kernel thread: everything is allowed, and said so', { skip }, async () => {
  const { stdout, stderr } = selkie(['simulate', '-p', `pid:${process.pid}`, 'ptrace()']);
  assert.equal(stdout, 'ptrace() → allow\n');
  assert.match(stderr, /has no filter: every call is allowed/);
  if (taskStatus(2)?.name === 'kthreadd') assert.equal(selkie(['disasm', 'pid:2']).status, 0);
});

test('what is missing is said: privileges, a reader without filter, no other tracer, a process', {
  skip,
}, async (context) => {
  const { pid } = await victim(context);
  const place = scratchFolder(context);
  const policy = join(place, 'all.yaml');
  writeFileSync(policy, 'selkie: 1\nsets: 1\ndefault: allow\nsyscalls:\n  errno(EPERM):\n    - reboot\n');
  const filtered = ['run', '-p', policy, process.execPath, SELKIE];
  const cases: readonly (readonly [readonly string[], boolean, number, RegExp])[] = [
    [['disasm', `pid:${pid}`], true, 125, /CAP_SYS_ADMIN is missing: .* selkie lift -- CMD/],
    [[...filtered, 'disasm', `pid:${pid}`], false, 125, /this process has a filter itself/],
    [['disasm', 'pid:4194303'], false, 2, /ESRCH: no such process/],
  ];
  for (const [words, nobody, code, message] of cases) {
    const { status, stderr } = selkie(words, { nobody });
    assert.equal(status, code, stderr);
    assert.match(stderr, message);
  }
  assert.equal(stateOf(pid), 'S');
});
