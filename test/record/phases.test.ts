import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { parsePolicy } from '../../src/policy/parse.ts';
import { permittedLines } from '../../src/policy/permitted.ts';
import { parseEvidence } from '../../src/record/evidence.ts';
import { temporaryFolder } from '../support/folders.ts';
import { compileC } from '../support/programs.ts';
import { ROOT, runCommand, SELKIE, selkie } from '../support/selkie.ts';

const folder = temporaryFolder();
const READY = compileC(folder, 'ready', readFileSync(join(ROOT, 'test/programs/ready.c'), 'utf8'));

/** A port that was free a moment ago. */
const port = await new Promise<number>((resolve) => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address() as { port: number };
    server.close(() => resolve(port));
  });
});

function recordReady(name: string, sign: string, how: string, backend: string) {
  const words = [
    'record',
    '--backend',
    backend,
    '--phase',
    `ready=${sign}`,
    '--json',
    '--no-floor',
    '--force',
    '-o',
    `${name}.yaml`,
  ];
  return selkie([...words, READY, how, `${port}`], { cwd: folder });
}

const linesOf = (name: string) => parseEvidence(readFileSync(join(folder, `${name}.evidence.json`), 'utf8'), name);
const countsOf = (name: string) =>
  linesOf(name)
    .filter(({ syscall }) => syscall === 'getpgrp')
    .map(({ phase, count }) => [phase, count]);
const serviceOf = (name: string): readonly string[] => {
  const { service = [], ...policy } = parsePolicy(readFileSync(join(folder, `${name}.yaml`), 'utf8'));
  return permittedLines({ ...policy, start: [], syscalls: service });
};

const SIGNS = [
  ['listen', 'listen', []],
  ['fd:3', 'fd', ['getuid', 'write']],
  ['fd:3', 'close', ['close']],
  ['line:now ready to serve', 'print', ['getuid', 'write']],
  ['signal:USR1', 'signal', ['getppid', 'kill']],
  ['port:PORT', 'listen', []],
] as const;

for (const backend of ['notify', 'ptrace'])
  for (const [sign, how, before] of SIGNS)
    test(`--phase ready=${sign} by ${backend}: what comes before the sign and what comes behind it, to the call`, () => {
      const name = `${how}-${sign.slice(0, 2)}-${backend}`;
      const { status, stderr } = recordReady(name, sign.replace('PORT', `${port}`), how, backend);
      assert.equal(status, 0, stderr);
      assert.deepEqual(countsOf(name), [
        ['program', 200],
        ['service', 200],
      ]);
      assert.deepEqual(serviceOf(name), ['exit_group', 'getpgrp', 'getsid', 'rmdir']);
      const { ready, service, startUpOnly } = JSON.parse(stderr);
      assert.deepEqual([ready, service], [true, serviceOf(name)]);
      for (const call of [...before, 'bind', 'listen', 'mkdir', 'socket']) assert.ok(startUpOnly.includes(call), call);
      assert.ok(!startUpOnly.includes('rmdir'));
    });

test('--phase ready=signal:USR1: somebody sends it to Selkie', async () => {
  const words = [
    'record',
    '-q',
    '--phase',
    'ready=signal:USR1',
    '--no-floor',
    '-o',
    'user.yaml',
    READY,
    'user',
    `${port}`,
  ];
  const child = spawn(process.execPath, [SELKIE, ...words], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  await new Promise((resolve) => child.stdout.once('data', resolve));
  child.kill('SIGUSR1');
  assert.equal(await ended, 0);
  assert.deepEqual(countsOf('user'), [
    ['program', 200],
    ['service', 200],
  ]);
});

test('as uid 65534 the signs are seen too', () => {
  const record = `${process.execPath} ${SELKIE} record --phase 'ready=line:ready to' --no-floor -o p.yaml ${READY} print ${port}`;
  const script = `d=$(mktemp -d) && cd "$d" && ${record} && cat p.yaml; s=$?; rm -r "$d"; exit $s`;
  const { status, stdout, stderr } = runCommand(['sh', '-c', script], { nobody: true });
  assert.equal(status, 0, stderr);
  assert.match(
    stdout,
    /now ready to serve\n[\s\S]*\nservice:\n {2}allow:\n {4}- exit_group\n {4}- getpgrp\n {4}- getsid\n {4}- rmdir\n$/,
  );
});

test('by eBPF a sign is refused before anything runs, for commands and for what runs already', () => {
  for (const words of [
    ['--backend', 'ebpf', READY, 'listen', `${port}`],
    ['--pid', `${process.pid}`],
  ]) {
    const { status, stderr } = selkie(['record', '--phase', 'ready=listen', '-o', 'ebpf.yaml', ...words], {
      cwd: folder,
    });
    assert.equal(status, 125);
    assert.match(
      stderr,
      /Cannot look for a sign of readiness by eBPF: it sees calls when they are over: use --backend notify/,
    );
  }
});

test('where user notification is refused, auto finds the sign by ptrace', () => {
  const outer = join(folder, 'outer.yaml');
  const rule = '  errno(EINVAL):\n    - seccomp: operation == 1 && (flags & 8) == 8\n';
  writeFileSync(outer, `selkie: 1\nsets: 1\ndefault: allow\nsyscalls:\n${rule}`);
  const words = ['record', '--json', '--phase', 'ready=fd:3', '--no-floor', '-o', 'auto.yaml', READY, 'fd', `${port}`];
  const { status, stderr } = selkie(['run', '-p', outer, process.execPath, SELKIE, ...words], { cwd: folder });
  assert.equal(status, 0, stderr);
  const { backend, ready } = JSON.parse(stderr);
  assert.deepEqual([backend, ready], ['ptrace', true]);
  assert.deepEqual(serviceOf('auto'), ['exit_group', 'getpgrp', 'getsid', 'rmdir']);
});

test('a command that was never ready has no service:, and a note says so', () => {
  const words = ['record', '--phase', 'ready=listen', '-o', 'never.yaml', READY, 'none', `${port}`];
  const { status, stderr } = selkie(words, { cwd: folder });
  assert.equal(status, 0);
  assert.match(stderr, /note: the command was never ready \(--phase ready=listen\)/);
  assert.equal(parsePolicy(readFileSync(join(folder, 'never.yaml'), 'utf8')).service, undefined);
});

for (const sign of ['ready', 'ready=', 'ready=fd:2', 'ready=fd:x', 'ready=port:70000', 'ready=signal:KILL', 'listen'])
  test(`--phase ${sign} is refused before the command runs`, () => {
    const { status, stderr } = selkie(['record', '--phase', sign, 'touch', 'ran'], { cwd: folder });
    assert.equal(status, 125);
    assert.match(stderr, /Cannot record the phase .*: wanted ready=listen, ready=fd:N/);
  });

const APP = `import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
  import { createServer, get } from 'node:http';
  mkdirSync('state');
  const server = createServer((_, response) => {
    try { if (process.env.TRY) mkdirSync('more'); response.end('more'); } catch ({ code }) { response.end(code); }
  });
  server.listen(${port}, '127.0.0.1', () => get('http://127.0.0.1:${port}/', (response) => {
    response.on('data', (data) => console.log(String(data)));
    response.on('end', () => { rmdirSync('state'); server.close(); server.closeAllConnections(); });
  }));\n`;

test('a Node server, recorded with --phase and confined by selkie/register: start-up alone may make folders', () => {
  writeFileSync(join(folder, 'app.mjs'), APP);
  const words = ['record', '-q', '--phase', 'ready=listen', '-o', 'app.yaml', process.execPath, 'app.mjs'];
  const recorded = selkie(words, { cwd: folder });
  assert.deepEqual([recorded.status, recorded.stdout], [0, 'more\n'], recorded.stderr);
  const service = serviceOf('app');
  assert.ok(service.includes('rmdir') && !service.includes('mkdir') && !service.includes('listen'));
  const node = [process.execPath, '--import', join(ROOT, 'dist/lib/register.js'), 'app.mjs'];
  for (const [extra, answer] of [
    [{}, 'more\n'],
    [{ TRY: '1' }, 'EPERM\n'],
  ] as const) {
    const run = runCommand(node, { cwd: folder, env: { ...process.env, SELKIE_POLICY: 'app.yaml', ...extra } });
    assert.deepEqual([run.status, run.stdout], [0, answer], run.stderr);
  }
});
