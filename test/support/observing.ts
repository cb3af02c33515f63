import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { observeCommand } from '../../src/record/notify.ts';
import { traceByPtrace } from '../../src/record/ptrace.ts';
import { aliveWith } from './alive.ts';
import { temporaryFolder } from './folders.ts';
import { compileC } from './programs.ts';
import { SELKIE } from './selkie.ts';
import { cannotCompile, missingTools } from './tools.ts';

interface Seen {
  readonly calls: number;
  readonly boundary: string;
  readonly status: object;
  readonly results: readonly { exe: string; arch: string; nr: number; phase: string; count: number; module?: string }[];
}

/** Tests of a backend under which commands wait for Selkie at every call. */
export function testObserving(backend: 'notify' | 'ptrace'): void {
  const folder = temporaryFolder();
  const observer = backend === 'ptrace' ? traceByPtrace : observeCommand;
  const module = (name: string): string => fileURLToPath(new URL(`../../src/record/${name}.js`, import.meta.url));

  /** A program that records a command and leaves what it saw in a file. */
  const script = join(folder, 'observe.mjs');
  writeFileSync(
    script,
    `import { writeFileSync } from 'node:fs';
import { exitCodeOf } from ${JSON.stringify(module('notify'))};
import { ${observer.name} } from ${JSON.stringify(module(backend))};
const [out, ...command] = process.argv.slice(2);
try {
  const seen = await ${observer.name}({ command });
  const plain = (key, value) => typeof value === 'bigint' ? Number(value) : value;
  if (out !== '-') writeFileSync(out, JSON.stringify(seen, plain));
  process.exitCode = exitCodeOf(seen.status);
} catch (error) { process.exitCode = error.exitCode ?? 125; }`,
  );
  chmodSync(folder, 0o777);

  let runs = 0;
  function observe(command: readonly string[], prefix: readonly string[] = []) {
    runs += 1;
    const out = join(folder, `seen-${runs}.json`);
    const [program = '', ...args] = [...prefix, process.execPath, script, out, ...command];
    const result = spawnSync(program, args, { encoding: 'utf8', timeout: 30_000, killSignal: 'SIGKILL' });
    const seen = result.status === 125 ? undefined : (JSON.parse(readFileSync(out, 'utf8')) as Seen);
    return { ...result, seen: seen as Seen };
  }

  const numbers = (seen: Seen, phase: string): Set<number> =>
    new Set(seen.results.filter((call) => call.phase === phase).map(({ nr }) => nr));

  const count = (seen: Seen, nr: number, arch = 'x86_64'): number =>
    seen.results.filter((call) => call.nr === nr && call.arch === arch).reduce((sum, call) => sum + call.count, 0);

  const C = `#include <unistd.h>
int main(void) { for (int i = 0; i < 1000; i++) getppid(); return write(1, "out\\n", 4) == 4 ? 42 : 1; }`;

  test(`${backend}: a static program: all calls are counted, start is its execve alone`, () => {
    const { seen, stdout, status } = observe([compileC(folder, 'static', C, ['-static'])]);
    assert.equal(stdout, 'out\n');
    assert.equal(status, 42);
    assert.equal(seen.boundary, 'exec');
    assert.equal(count(seen, 110), 1000);
    assert.deepEqual([...numbers(seen, 'start')], [59]);
    assert.ok(numbers(seen, 'program').has(231));
  });

  test(`${backend}: a dynamic program: what ld.so calls is start, what comes after the entry point is not`, () => {
    const { seen, status } = observe([compileC(folder, 'dynamic', C)]);
    assert.equal(status, 42);
    assert.equal(seen.boundary, 'entry');
    // 1 write, 110 getppid, 231 exit_group; stdio is not used
    assert.deepEqual(
      [...numbers(seen, 'program')].sort((a, b) => a - b),
      [1, 110, 231],
    );
    for (const nr of [59, 9, 257, 302, 11]) assert.ok(numbers(seen, 'start').has(nr), `start has ${nr}`);
    assert.match(seen.results.find(({ nr }) => nr === 110)?.module ?? '', /libc/);
  });

  test(`${backend}: the program goes on with its own instructions: its text is as in its file`, () => {
    const source = `#include <stdio.h>
#include <string.h>
extern char _start[];
int main(int argc, char **argv) {
  FILE *f = fopen(argv[0], "rb"); char file[65536]; size_t n = fread(file, 1, sizeof file, f);
  for (size_t i = 0; i + 40 < n; i++) if (!memcmp(file + i, _start, 40)) return 0;
  return 1; }`;
    assert.equal(observe([compileC(folder, 'text', source)]).status, 0);
  });

  test(`${backend}: threads and their calls are counted`, () => {
    const source = `#include <pthread.h>
#include <unistd.h>
static void *run(void *p) { for (int i = 0; i < 500; i++) getppid(); return p; }
int main(void) { pthread_t t[4]; for (int i = 0; i < 4; i++) pthread_create(t + i, 0, run, 0);
  for (int i = 0; i < 4; i++) pthread_join(t[i], 0); return 0; }`;
    const { seen, status } = observe([compileC(folder, 'threads', source, ['-pthread'])]);
    assert.equal(status, 0);
    assert.equal(count(seen, 110), 2000);
  });

  test(`${backend}: where a thread executes a program, the leader's calls before are the old one's, those with its id since the new one's`, () => {
    const source = `#include <pthread.h>
#include <unistd.h>
static volatile int seen;
static void *run(void *p) { while (!seen) usleep(100); execl((char *)p, "next", (char *)0); return p; }
int main(int argc, char **argv) { pthread_t t; pthread_create(&t, 0, run, argv[1]);
  for (;;) { for (int i = 0; i < 100; i++) getppid(); seen = 1; } }`;
    const next = `#include <unistd.h>
int main(void) { for (int i = 0; i < 500; i++) getuid(); return 0; }`;
    const [before, after] = [
      compileC(folder, 'thread-execs', source, ['-pthread']),
      compileC(folder, 'executed', next, ['-static']),
    ];
    const { seen, status } = observe([before, after]);
    assert.equal(status, 0);
    const callers = (nr: number) => seen.results.filter((call) => call.nr === nr).map(({ exe }) => exe);
    assert.deepEqual([callers(110), callers(102)], [[before], [after]]);
    assert.ok(count(seen, 110) >= 100);
    assert.equal(count(seen, 102), 500);
  });

  test(`${backend}: children are recorded under their own executables, all as program`, () => {
    const { seen, stdout } = observe(['sh', '-c', 'ls / | wc -l']);
    assert.ok(Number(stdout) > 3);
    const exes = new Set(seen.results.map(({ exe }) => exe.split('/').at(-1)));
    assert.ok(exes.has('ls') && exes.has('wc'));
    assert.ok(seen.results.every(({ exe, phase }) => phase === 'program' || !/\/(ls|wc)$/.test(exe)));
  });

  test(`${backend}: a call through int 0x80 is one of i386`, () => {
    const source = `int main(void) { long r; __asm__ volatile("int $0x80" : "=a"(r) : "a"(20)); return r > 0 ? 0 : 1; }`;
    const { seen, status } = observe([compileC(folder, 'int80', source)]);
    assert.equal(status, 0);
    assert.equal(count(seen, 20, 'i386'), 1);
    assert.equal(count(seen, 20), 0);
  });

  test(`${backend}: an i386 program: its numbers are its own, and the end of its ld.so is seen by where calls come from`, {
    skip: cannotCompile('-m32'),
  }, () => {
    const { seen, stdout, status } = observe([compileC(folder, 'i386', C, ['-m32'])]);
    assert.equal(stdout, 'out\n');
    assert.equal(status, 42);
    assert.equal(seen.boundary, 'ip');
    // 4 write, 64 getppid, 252 exit_group
    assert.deepEqual(
      [...numbers(seen, 'program')].sort((a, b) => a - b),
      [4, 64, 252],
    );
    assert.equal(count(seen, 64, 'i386'), 1000);
    // execve is the launcher's
    assert.deepEqual(
      seen.results.filter(({ arch }) => arch !== 'i386').map(({ nr }) => nr),
      [59],
    );
  });

  test(`${backend}: an i386 child of an x86_64 program is recorded under its own ABI`, {
    skip: cannotCompile('-m32'),
  }, () => {
    const child = compileC(folder, 'i386-static', C, ['-m32', '-static']);
    const { seen } = observe(['sh', '-c', `${child}; ${child}; exit 0`]);
    const calls = seen.results.filter(({ exe }) => exe === child);
    assert.equal(count({ ...seen, results: calls }, 64, 'i386'), 2000);
    assert.ok(calls.every(({ arch, phase }) => arch === 'i386' && phase === 'program'));
    assert.ok(seen.results.every(({ exe, arch }) => exe === child || arch === 'x86_64'));
  });

  test(`${backend}: where the mark cannot be planted, start ends with the first call from outside ld.so`, () => {
    const policy = join(folder, 'no-write.yaml');
    writeFileSync(policy, 'selkie: 1\nsets: 1\ndefault: allow\nsyscalls:\n  errno(EPERM): [pwrite64]\n');
    const { seen, status } = observe(
      [compileC(folder, 'unmarked', C)],
      [process.execPath, SELKIE, 'run', '-p', policy],
    );
    assert.equal(status, 42);
    assert.equal(seen.boundary, 'ip');
    assert.deepEqual(
      [...numbers(seen, 'program')].sort((a, b) => a - b),
      [1, 110, 231],
    );
    for (const nr of [59, 9, 257, 302, 11]) assert.ok(numbers(seen, 'start').has(nr), `start has ${nr}`);
  });

  test(`${backend}: musl has its ld.so in libc: without the mark all is the program, rather than too little`, {
    skip: missingTools('musl-gcc'),
  }, () => {
    const policy = join(folder, 'no-write.yaml');
    const file = compileC(folder, 'musl', C, [], 'musl-gcc');
    assert.equal(observe([file]).seen.boundary, 'entry');
    const { seen } = observe([file], [process.execPath, SELKIE, 'run', '-p', policy]);
    assert.equal(seen.boundary, 'exec');
    for (const nr of [110, 231, 158]) assert.ok(numbers(seen, 'program').has(nr), `program has ${nr}`);
    assert.deepEqual([...numbers(seen, 'start')], [59]);
  });

  test(`${backend}: a script with #! runs, and its interpreter is the first image`, () => {
    const file = join(folder, 'script');
    writeFileSync(file, '#!/bin/sh\nexit 7\n', { mode: 0o755 });
    const { seen, status } = observe([file]);
    assert.equal(status, 7);
    assert.equal(seen.boundary, 'entry');
  });

  test(`${backend}: exit codes and signals pass: 128 + n, 127 and 126 as env(1)`, () => {
    assert.equal(observe(['sh', '-c', 'exit 9']).status, 9);
    assert.deepEqual(observe(['sh', '-c', 'kill -SEGV $$']).seen.status, { signal: 11 });
    const missing = spawnSync(process.execPath, [script, '-', 'no-such-command']);
    assert.equal(missing.status, 127);
    assert.equal(spawnSync(process.execPath, [script, '-', folder]).status, 126);
  });

  test(`${backend}: an unprivileged user records too`, () => {
    if (process.getuid?.() !== 0) return;
    const { seen, status } = observe(['true'], ['setpriv', '--reuid=65534', '--clear-groups']);
    assert.equal(status, 0);
    assert.equal(seen.boundary, 'entry');
  });

  test(`${backend}: a program that may be executed but not read is recorded as far as the kernel shows it`, () => {
    if (process.getuid?.() !== 0) return;
    const file = compileC(folder, 'unreadable', C);
    chmodSync(file, 0o711);
    const { seen, status } = observe([file], ['setpriv', '--reuid=65534', '--clear-groups']);
    assert.equal(status, 42);
    assert.equal(count(seen, 110), 1000);
  });

  test(`${backend}: a recording inside a recording is refused, and says so by 125`, () =>
    assert.equal(observe([process.execPath, script, '-', 'true']).status, 125));

  test(`${backend}: every call of the program phase that strace shows is there`, {
    skip: missingTools('strace'),
  }, () => {
    const trace = join(folder, 'trace');
    execFileSync('strace', ['-f', '-n', '-o', trace, 'sh', '-c', 'ls / | wc -l'], { stdio: 'ignore' });
    const shown = new Set(
      [...readFileSync(trace, 'utf8').matchAll(/^\d+ +\[ *(\d+)\]/gm)].map((match) => Number(match[1])),
    );
    const { seen } = observe(['sh', '-c', 'ls / | wc -l']);
    const recorded = new Set(seen.results.map(({ nr }) => nr));
    assert.ok(shown.size > 15);
    assert.deepEqual(
      [...shown].filter((nr) => !recorded.has(nr)),
      [],
    );
  });

  test(`${backend}: data in a pipe arrives whole, both ways`, () => {
    const size = 3_000_000;
    const command = `head -c ${size} /dev/zero | ${process.execPath} ${script} - cat | wc -c`;
    assert.equal(Number(execFileSync('sh', ['-c', command], { encoding: 'utf8' })), size);
  });

  const STATE = `grep -E "Sig(Ign|Blk)" /proc/self/status; for f in $(ls /proc/self/fd); do echo $f $(readlink /proc/$$/fd/$f); done |
  grep -v /proc | sed 's/[0-9]\\{4,\\}//g'; for i in 0 1 2 7; do grep flags /proc/self/fdinfo/$i; done`;

  test(`${backend}: signals, descriptors and their flags are those that env(1) gives`, () => {
    const state = join(folder, 'state.sh');
    writeFileSync(state, STATE);
    const under = (prefix: string) =>
      spawnSync('sh', ['-c', `echo | ${prefix} sh ${state} 7</dev/null 9<${state} | cat`], { encoding: 'utf8' }).stdout;
    const expected = under('env');
    assert.match(expected, /^9 /m);
    assert.equal(under(`${process.execPath} ${script} -`), expected);
  });

  /** Starts a recording, waits for its first output, sends a signal, and tells how it ended and how long that took. */
  async function interrupt(signal: NodeJS.Signals, shell: string) {
    const child = spawn(process.execPath, [script, '-', 'sh', '-c', shell], { stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise((resolve) => child.stdout.once('data', resolve));
    const begin = Date.now();
    child.kill(signal);
    const status = await new Promise((resolve) => child.once('exit', (code, name) => resolve(code ?? name)));
    return { status, ms: Date.now() - begin };
  }

  /** As `interrupt`, which must take less than a second; a machine that is busy with other things has three tries. */
  async function interruptQuickly(signal: NodeJS.Signals, shell: string): Promise<unknown> {
    const times: number[] = [];
    while (times.length < 3) {
      const { status, ms } = await interrupt(signal, shell);
      if (ms < 1000) return status;
      times.push(ms);
    }
    return assert.fail(`took ${times} ms`);
  }

  /** Seconds that no other process of the machine sleeps, also in another run of this file. */
  const long = (seconds: number): string => `${seconds}.${process.pid}`;
  const alive = (seconds: number): string =>
    spawnSync('sh', ['-c', `ps ax -o args | grep '[s]leep ${long(seconds)}'`], { encoding: 'utf8' }).stdout;

  test(`${backend}: SIGTERM and SIGINT sent to Selkie alone end the target, and Selkie, within a second`, async () => {
    for (const [signal, code] of [
      ['SIGTERM', 143],
      ['SIGINT', 130],
    ] as const) {
      assert.equal(await interruptQuickly(signal, `echo; exec sleep ${long(7301)}`), code);
    }
    assert.equal(alive(7301), '');
  });

  test(`${backend}: a target that ignores the signal is killed with its descendants within a second; one that catches it has its say`, async () => {
    const ignoring = `trap "" TERM; setsid sleep ${long(7302)} & echo; sleep ${long(7302)}`;
    assert.equal(await interruptQuickly('SIGTERM', ignoring), 137);
    assert.equal(alive(7302), '');
    const catching = await interrupt('SIGTERM', 'trap "exit 5" TERM; echo; while :; do sleep 0.05; done');
    assert.equal(catching.status, 5);
  });

  test(`${backend}: a fault on the way kills the target and all it started, and what was seen is kept`, async () => {
    const begin = Date.now();
    const seen = await observer({
      command: ['sh', '-c', `sleep ${long(7304)} & while :; do ls / > /dev/null; done`],
      onProgress: ({ calls }) => {
        if (calls > 100) throw new Error('a fault');
      },
    });
    assert.ok(Date.now() - begin < 2000);
    assert.equal(seen.error?.message, 'a fault');
    assert.deepEqual(seen.status, { signal: 9 });
    assert.ok(seen.calls > 100);
    assert.equal(alive(7304), '');
  });

  test(`${backend}: SIGKILL of Selkie at any moment leaves no process behind`, async () => {
    for (let round = 0; round < 20; round += 1) {
      const shell = 'sleep 7303 & setsid sleep 7303 & while :; do ls / > /dev/null; done';
      const mark = `SELKIE_TEST_ROUND=${process.pid}-${backend}-${round}`;
      const [name = '', value] = mark.split('=');
      const env = { ...process.env, [name]: value };
      const child = spawn(process.execPath, [script, '-', 'sh', '-c', shell], { stdio: 'ignore', env });
      await new Promise((resolve) => setTimeout(resolve, 40 + round * 12));
      child.kill('SIGKILL');
      await new Promise((resolve) => child.once('exit', resolve));
      let left = aliveWith(mark);
      for (let wait = 0; wait < 40 && left.length > 0; wait += 1) {
        await new Promise((resolve) => setTimeout(resolve, 25));
        left = aliveWith(mark);
      }
      assert.deepEqual(left, [], `round ${round}`);
    }
  });
}
