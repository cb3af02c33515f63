import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { runLauncher } from '../../src/apply/run.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { type Build, buildProgram, C_BUILDS } from '../support/builds.ts';
import { temporaryFolder } from '../support/folders.ts';
import { EPERM, LAUNCHED_POLICIES, launchedSays } from '../support/launched.ts';
import { type Finished, runCommand, SELKIE } from '../support/selkie.ts';
import { missingTools } from '../support/tools.ts';

/** Whatever fails on the way of an injection: the command is confined, or does not run. */

const skip = missingTools('gcc', 'setpriv');
const folder = temporaryFolder();
const launcher = join(folder, 'launcher');
const outer = (): string => buildProgram({ name: 'outer', tool: 'gcc', flags: ['-static'] }, 'outer.c', folder).path;
const program = (kind: string): string =>
  buildProgram(C_BUILDS.find(({ name }) => name === kind) as Build, 'launched.c', folder).path;
const KINDS = ['static', 'dynamic PIE'];

before(() => {
  if (skip !== false) return;
  const policy = parsePolicy(LAUNCHED_POLICIES.loader);
  writeFileSync(launcher, runLauncher(policy, program('static'), 'inject'), { mode: 0o755 });
});

/** Confined, or not started, by an exit code of the launcher or ld.so, or by a signal; never a hang, never more than the policy. */
function checkClosed(result: Finished, kind: string): void {
  const what = JSON.stringify(result);
  assert.notEqual(result.signal, 'SIGTERM', what);
  if (result.stdout === '') assert.ok([125, 126, 127, null].includes(result.status), what);
  else assert.equal(result.stdout, launchedSays(EPERM, EPERM, program(kind)), what);
}

/** The calls that the launcher and the tracer make but execve(2), without which the outer program cannot start them. */
const CALLS: Readonly<Record<string, string>> = {
  rt_sigprocmask: '14',
  sched_yield: '24',
  getpid: '39',
  clone: '56',
  wait4: '61',
  prctl: '157',
  exit_group: '231',
  seccomp: '317',
  'ptrace, any': '101',
  PTRACE_PEEKDATA: '101:2',
  PTRACE_POKEDATA: '101:5',
  PTRACE_GETREGS: '101:12',
  PTRACE_SETREGS: '101:13',
  PTRACE_DETACH: '101:17',
  PTRACE_SYSCALL: '101:24',
  PTRACE_SEIZE: '101:0x4206',
  PTRACE_INTERRUPT: '101:0x4207',
  PTRACE_GETSIGMASK: '101:0x420a',
  PTRACE_SETSIGMASK: '101:0x420b',
};
/** The launcher waits for ever for what nobody does: nothing runs. */
const WAITS: ReadonlySet<string> = new Set(['PTRACE_SYSCALL answered by 0', 'PTRACE_INTERRUPT answered by 0']);

for (const [call, which] of Object.entries(CALLS))
  for (const how of ['1', '0', '38', 'kill']) {
    const name = `${call} answered by ${how}`;
    test(`fails closed: ${name}`, { skip }, () => {
      for (const kind of KINDS) {
        const words = [how, which, launcher, program(kind)];
        if (!WAITS.has(name)) checkClosed(runCommand([outer(), ...words], { timeout: 20_000 }), kind);
        else assert.equal(String(spawnSync(outer(), words, { timeout: 1000, killSignal: 'SIGKILL' }).stdout), '');
      }
    });
  }

test('where there is neither a listener nor ptrace, 125 names --simple', { skip }, () => {
  const policy = join(folder, 'policy.yaml');
  writeFileSync(policy, LAUNCHED_POLICIES.loader);
  const command = [process.execPath, SELKIE, 'run', '--inject', '-p', policy, program('static')];
  const result = runCommand([outer(), '1', '101', ...command]);
  assert.deepEqual(
    [result.status, result.stdout, result.stderr],
    [
      125,
      '',
      'selkie: cannot confine: this process cannot be traced to the entry of the command: --simple needs no tracing: errno 1\n',
    ],
  );
});

/** The tracer of a launcher: the other process that still has its executable. */
function tracerOf(pid: number): number | undefined {
  return readdirSync('/proc')
    .map(Number)
    .find((other) => other !== pid && executable(other) === launcher);
}

function executable(pid: number): string | undefined {
  try {
    return Number.isNaN(pid) ? undefined : readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return undefined;
  }
}

/** A tracer ends soon after its launcher. */
async function nothingStays(): Promise<void> {
  for (let waited = 0; waited < 100 && tracerOf(0) !== undefined; waited += 1)
    await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(tracerOf(0), undefined);
}

interface Started {
  readonly child: ChildProcess;
  readonly finished: Promise<Finished>;
}

function start(kind: string): Started {
  const child = spawn(launcher, [program(kind)], { stdio: ['ignore', 'pipe', 'ignore'] });
  let stdout = '';
  child.stdout.on('data', (data) => {
    stdout += data;
  });
  const finished = new Promise<Finished>((resolve) =>
    child.once('close', (status, signal) => resolve({ status, signal, stdout, stderr: '' })),
  );
  return { child, finished };
}

/** Lets it come a little further from round to round. */
function wait(round: number): void {
  for (const end = performance.now() + (round % 15) / 5; performance.now() < end; );
}

test('a command that is stopped and continued at any moment of its start runs as ever', {
  skip,
  timeout: 120_000,
}, async () => {
  for (let round = 0; round < 60; round += 1) {
    const kind = KINDS[round % 2] as string;
    const { child, finished } = start(kind);
    wait(round);
    child.kill('SIGSTOP');
    await new Promise((resolve) => setTimeout(resolve, 3));
    child.kill('SIGCONT');
    const result = await finished;
    assert.deepEqual([result.status, result.stdout], [7, launchedSays(EPERM, EPERM, program(kind))]);
  }
});

test('killed at any moment, nothing of it stays', { skip, timeout: 120_000 }, async () => {
  for (let round = 0; round < 60; round += 1) {
    const { child, finished } = start(KINDS[round % 2] as string);
    wait(round);
    child.kill('SIGKILL');
    checkClosed(await finished, KINDS[round % 2] as string);
  }
  await nothingStays();
});

test('registers, text and blocked signals are at the entry what they are without', {
  skip: skip || missingTools('setarch'),
}, () => {
  for (const flags of [['-static', '-nostdlib'], ['-nostartfiles']]) {
    const { path } = buildProgram({ name: `entry ${flags.length}`, tool: 'gcc', flags }, 'entry.c', folder);
    const under = (prefix: string): Buffer =>
      spawnSync('setarch', ['-R', prefix, path], { env: {}, stdio: ['ignore', 'pipe', 'inherit'] }).stdout;
    const [injected, plain] = [under(launcher), under('/usr/bin/env')];
    assert.equal(plain.length, 160);
    // The call there overwrites rcx and r11, which mean nothing at an entry; from the last one pushed, r15.
    for (const index of [4, 12]) plain.writeBigUInt64LE(0n, 8 * index);
    assert.equal(injected.toString('hex'), plain.toString('hex'));
  }
});

function kill(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL');
  } catch {
    // Gone by now.
    return false;
  }
}

test('the tracer killed at any moment: the command ends with it, or is confined', {
  skip,
  timeout: 120_000,
}, async () => {
  let killed = 0;
  // The faster the machine, the more starts are over by then.
  for (let round = 0; round < 150 || (killed < 20 && round < 1500); round += 1) {
    const kind = KINDS[round % 2] as string;
    const { child, finished } = start(kind);
    wait(round);
    const tracer = tracerOf(child.pid as number);
    if (tracer !== undefined && kill(tracer)) killed += 1;
    checkClosed(await finished, kind);
  }
  assert.ok(killed >= 20, `${killed}`);
  await nothingStays();
});
