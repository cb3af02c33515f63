import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseEvidence } from '../../src/record/evidence.ts';
import { temporaryFolder } from '../support/folders.ts';
import { compileC } from '../support/programs.ts';
import { SELKIE } from '../support/selkie.ts';
import { untilAttached } from '../support/tracing.ts';

const folder = temporaryFolder();
chmodSync(folder, 0o777);
const skip =
  process.getuid?.() === 0 && existsSync('/sys/kernel/btf/vmlinux') ? false : 'eBPF needs root and a kernel with BTF';

let runs = 0;
function record(backend: string, command: readonly string[], prefix: readonly string[] = []) {
  runs += 1;
  const policy = join(folder, `run-${runs}.yaml`);
  const words = [
    ...prefix,
    process.execPath,
    SELKIE,
    'record',
    '--json',
    '--backend',
    backend,
    '-o',
    policy,
    ...command,
  ];
  const result = spawnSync(words[0] ?? '', words.slice(1), {
    encoding: 'utf8',
    timeout: 60_000,
    killSignal: 'SIGKILL',
  });
  const file = policy.replace('.yaml', '.evidence.json');
  const evidence = existsSync(file) ? parseEvidence(readFileSync(file, 'utf8'), file) : [];
  return { ...result, policy, evidence };
}

const HEAD = `#define _GNU_SOURCE
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
static void *run(void *p) { for (int i = 0; i < 100; i++) syscall(110); usleep(20000); return p; }
`;

test('errors that calls return are evidence', { skip }, () => {
  const source =
    '#include <unistd.h>\nint main(void) { execl("/nowhere", "x", (char *)0); chdir("/nowhere"); return 0; }';
  const { evidence } = record('ebpf', [compileC(folder, 'failing', source, ['-w'])]);
  const errnos = (name: string) =>
    evidence.find(({ syscall, phase }) => syscall === name && phase === 'program')?.errnos;
  assert.deepEqual(errnos('execve'), ['ENOENT']);
  assert.deepEqual(errnos('chdir'), ['ENOENT']);
  assert.deepEqual(errnos('exit_group'), []);
});

test('counts are exact where more processes and executables run at a time than there are places for', { skip }, () => {
  // 40 executables want some 4,300 of the places for counts; of 4,200 processes some share a place.
  const source = `${HEAD}#include <stdio.h>
    #include <string.h>
    int main(int argc, char **argv) {
      char name[4096];
      if (argc > 1) { for (int i = 0; i < 7; i++) syscall(SYS_getppid); return syscall(SYS_chdir, "/nowhere") == 0; }
      for (int copy = 0; copy < 40; copy++) {
        snprintf(name, sizeof name, "%s-%d", argv[0], copy);
        if (!vfork()) { execl(name, name, "x", (char *)0); _exit(1); }
      }
      int barrier[2]; if (pipe(barrier)) return 1;
      for (int child = 0; child < 4200; child++)
        if (!fork()) {
          close(barrier[1]); for (int i = 0; i < 3; i++) syscall(SYS_getuid);
          read(barrier[0], name, 1);
          for (int i = 0; i < 3; i++) syscall(SYS_getuid);
          _exit(0);
        }
      close(barrier[1]);
      while (wait(0) > 0) ;
      return 0;
    }`;
  const program = compileC(folder, 'crowd', source, ['-w']);
  for (let copy = 0; copy < 40; copy += 1) copyFileSync(program, `${program}-${copy}`);
  const { status, evidence } = record('ebpf', [program]);
  assert.equal(status, 0);
  const counts = (name: string) => evidence.filter(({ syscall }) => syscall === name).map(({ count }) => count);
  assert.deepEqual(counts('getppid'), Array(40).fill(7));
  assert.deepEqual(counts('getuid'), [25_200]);
  const failed = evidence.filter(({ syscall, phase }) => syscall === 'chdir' && phase === 'program');
  assert.deepEqual(
    failed.map(({ errnos }) => errnos),
    Array(40).fill(['ENOENT']),
  );
});

test('exit codes and signals pass, a command that cannot be executed is said to be so', { skip }, () => {
  assert.equal(record('ebpf', ['sh', '-c', 'exit 9']).status, 9);
  assert.equal(record('ebpf', ['sh', '-c', 'kill -SEGV $$']).status, 139);
  const file = join(folder, 'damaged');
  writeFileSync(file, '\x7fELF and no more', { mode: 0o755 });
  assert.equal(record('ebpf', [file]).status, record('notify', [file]).status);
});

test('the policy that ebpf records is enough to run the program', { skip }, () => {
  const { policy } = record('ebpf', ['ls', '/']);
  const { status, stderr } = spawnSync(process.execPath, [SELKIE, 'run', '-p', policy, 'ls', '/'], {
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
});

test('without rights ebpf is refused with the reason before the command runs, and auto records by notify', {
  skip,
}, () => {
  const user = ['setpriv', '--reuid=65534', '--clear-groups'];
  const refused = record('ebpf', ['sh', '-c', 'echo ran'], user);
  assert.equal(refused.status, 125);
  assert.match(refused.stderr, /bpf: EPERM: wanted root, or CAP_BPF and CAP_PERFMON/);
  assert.equal(refused.stdout, '');
  const { stderr, status } = record('auto', ['true'], user);
  assert.equal(status, 0);
  assert.equal(JSON.parse(stderr).backend, 'notify');
});

test('when Selkie is killed the command goes on, and nothing stays in the kernel', { skip }, async () => {
  // Links of tracepoints, by what the descriptors of processes show: of all processes, as another could have got one from Selkie.
  const links = (pid: string): readonly string[] => {
    const script = `cat /proc/${pid}/fdinfo/* 2>/dev/null | grep "^link_id:"`;
    return spawnSync('sh', ['-c', script], { encoding: 'utf8' })
      .stdout.split('\n')
      .filter((line) => line !== '');
  };
  const done = join(folder, 'done');
  const words = [
    SELKIE,
    'record',
    '--backend',
    'ebpf',
    '--force',
    '-o',
    join(folder, 'killed.yaml'),
    'sh',
    '-c',
    `echo; sleep 1; touch ${done}`,
  ];
  const selkie = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'ignore'] });
  await new Promise((resolve) => selkie.stdout.once('data', resolve));
  const own = links(`${selkie.pid}`);
  assert.ok(own.length > 0);
  selkie.kill('SIGKILL');
  await new Promise((resolve) => setTimeout(resolve, 1500));
  assert.deepEqual(
    links('[0-9]*').filter((link) => own.includes(link)),
    [],
  );
  assert.ok(existsSync(done));
});

test('a running process is observed from outside: its threads, and with --children what it starts', {
  skip,
}, async () => {
  const body =
    'pthread_t t; for (;;) { pthread_create(&t, 0, run, 0); pthread_join(t, 0); if (!fork()) { syscall(39); _exit(0); } wait(0); usleep(1000); }';
  const file = compileC(folder, 'running', `${HEAD}int main(void) { ${body} }`, ['-pthread', '-w']);
  for (const children of [[], ['--children']]) {
    const process_ = spawn(file, { stdio: 'ignore' });
    const policy = join(folder, `pid-${children.length}.yaml`);
    const words = [SELKIE, 'record', '-q', '--pid', String(process_.pid), ...children, '-o', policy];
    const selkie = spawn(process.execPath, words, { stdio: 'ignore' });
    const ended = new Promise((resolve) => selkie.once('exit', resolve));
    await untilAttached(selkie);
    setTimeout(() => selkie.kill('SIGINT'), 500);
    const code = await ended;
    const isAlive = process_.exitCode === null && process_.signalCode === null;
    process_.kill('SIGKILL');
    assert.deepEqual({ code, isAlive }, { code: 0, isAlive: true });
    const evidence = parseEvidence(readFileSync(policy.replace('.yaml', '.evidence.json'), 'utf8'), 'evidence');
    const numbers = new Set(evidence.map(({ nr }) => nr));
    assert.ok(numbers.has(110) && evidence.every(({ exe, phase }) => exe === file && phase === 'program'));
    assert.equal(numbers.has(39), children.length > 0);
  }
});
