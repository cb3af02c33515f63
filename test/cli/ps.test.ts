import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { buildProgram } from '../support/builds.ts';
import { scratchFolder, temporaryFolder } from '../support/folders.ts';
import { SELKIE, selkie } from '../support/selkie.ts';
import { missingTools } from '../support/tools.ts';

const folder = temporaryFolder();
const skip = missingTools('gcc');

interface Row {
  readonly pid: number;
  readonly user: string;
  readonly mode: string;
  readonly leastFilters?: number;
  readonly mostFilters?: number;
  readonly noNewPrivs?: boolean;
  readonly name: string;
  readonly surface?:
    | { readonly open: readonly string[]; readonly risky: readonly string[]; readonly calls: number }
    | string;
}

function rows(...words: readonly string[]): readonly Row[] {
  const { status, stdout } = selkie(['ps', '--json', ...words]);
  assert.equal(status, 0);
  return JSON.parse(stdout).processes;
}

/** Starts a program and waits for its first line. */
async function started(context: TestContext, command: string, ...words: readonly string[]): Promise<ChildProcess> {
  const child = spawn(command, words, { stdio: ['pipe', 'pipe', 'inherit'] });
  context.after(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  return child;
}

const build = (source: string): string =>
  buildProgram({ name: source, tool: 'gcc', flags: ['-pthread'] }, source, folder).path;

test('ps: a process with filters, one without, and what is shown of them', { skip }, async (context) => {
  const name = join(scratchFolder(context), 'odd\u001b[1m name');
  symlinkSync(build('stacked.c'), name);
  const filtered = await started(context, name);
  const plain = await started(context, 'sh', '-c', 'echo; read word');
  const [row] = rows().filter(({ pid }) => pid === filtered.pid);
  const own = rows('--all').find(({ pid }) => pid === process.pid);
  const inherited = own?.mostFilters ?? 0;
  assert.deepEqual(row, {
    pid: filtered.pid,
    user: own?.user,
    mode: 'filter',
    leastFilters: inherited + 3,
    mostFilters: inherited + 3,
    noNewPrivs: true,
    name: 'odd?[1m name',
  });
  const all = rows('--all').map(({ pid }) => pid);
  assert.ok(all.includes(plain.pid as number) && all.includes(filtered.pid as number));
  assert.deepEqual(
    all,
    [...all].sort((a, b) => a - b),
  );
  if (own?.mode === 'none') assert.ok(!rows().some(({ pid }) => pid === plain.pid));
});

test('ps: threads that differ', { skip }, async (context) => {
  // It prints when its other thread has installed a filter for itself, and then waits for a signal.
  const child = await started(context, build('installer.c'), 'diverge', 'wait');
  const { mode, leastFilters = 0, mostFilters } = rows('--all').find(({ pid }) => pid === child.pid) as Row;
  assert.equal(mostFilters, leastFilters + 1);
  assert.equal(mode, leastFilters === 0 ? 'mixed' : 'filter');
  const table = selkie(['ps']).stdout;
  assert.match(table, /^ *PID +USER +MODE +FILTERS +NNP +NAME\n/);
  assert.match(table, new RegExp(`^ *${child.pid} .* ${leastFilters}-${mostFilters} +yes +installer`, 'm'));
});

test('ps --open: what a filter leaves open, and what of it is risky', {
  skip: missingTools('sleep'),
}, async (context) => {
  const policy = join(scratchFolder(context), 'p.yaml');
  const allowed = [
    '"@glibc"',
    'execve',
    'openat',
    'close',
    'fstat',
    'mmap',
    'mprotect',
    'pread64',
    'brk',
    'read',
    'access',
  ];
  const more = ['arch_prctl', 'set_tid_address', 'prlimit64', 'write', 'clock_nanosleep', 'ptrace: request == 0'];
  const rules = [...allowed, ...more].map((rule) => `    - ${rule}\n`).join('');
  writeFileSync(policy, `selkie: 1\nsets: 1\narches: [x86_64]\ndefault: errno(EPERM)\nsyscalls:\n  allow:\n${rules}`);
  const child = spawn(process.execPath, [SELKIE, 'run', '-p', policy, 'sleep', '60'], { stdio: 'ignore' });
  context.after(() => child.kill('SIGKILL'));
  const found = (): Row | undefined => rows('--open').find(({ pid, name }) => pid === child.pid && name === 'sleep');
  for (let tries = 0; tries < 50 && !found(); tries += 1) await new Promise((resolve) => setTimeout(resolve, 100));
  const surface = found()?.surface;
  assert.ok(typeof surface === 'object', JSON.stringify(surface));
  assert.deepEqual(surface.risky, ['ptrace']);
  assert.ok(surface.open.includes('read') && !surface.open.includes('socket'));
  assert.ok(surface.open.length < 60 && surface.calls > 300);
});

test('ps as uid 65534: the status files are readable for everybody', { skip: missingTools('setpriv') }, () => {
  const { status, stdout } = selkie(['ps', '--all', '--json'], { nobody: true });
  assert.equal(status, 0);
  assert.ok(JSON.parse(stdout).processes.some(({ pid, name }: Row) => pid === process.pid && name !== ''));
});
