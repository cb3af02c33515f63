// The bar: a program that is recorded behaves as without: no call is lost or doubled, none fails for a signal whose handler asks for a restart;
// timeouts, Go's preemption and job control are as ever. What cannot be had is counted.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Evidence } from '../../src/record/evidence.ts';
import { record } from '../../src/record/record.ts';
import { temporaryFolder } from '../support/folders.ts';
import { buildGo } from '../support/go.ts';
import { compileC } from '../support/programs.ts';
import { SELKIE } from '../support/selkie.ts';
import { missingTools } from '../support/tools.ts';

const folder = temporaryFolder();
const BACKENDS = ['notify', 'ptrace'] as const;
const CALLS = 1_000_000;

/** Makes calls while a timer sends signals, and writes how many of both there were, and how many calls failed. */
const SIGNALLED = `#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>
static volatile int hits;
static void hit(int s) { (void)s; hits++; }
int main(int argc, char **argv) {
  struct sigaction action = {.sa_handler = hit, .sa_flags = atoi(argv[2]) ? SA_RESTART : 0};
  struct itimerval timer = {{0, 200}, {0, 200}}, off = {{0, 0}, {0, 0}};
  int failed = 0, calls = atoi(argv[3]);
  sigaction(SIGALRM, &action, 0);
  setitimer(ITIMER_REAL, &timer, 0);
  for (int i = 0; i < calls; i++) if (syscall(SYS_getpgid, 0) < 0) failed++;
  // It fails as any other call may.
  while (setitimer(ITIMER_REAL, &off, 0) != 0);
  FILE *file = fopen(argv[1], "w");
  fprintf(file, "%d %d", hits, failed);
  return fclose(file);
}`;

/** A shell's part: the job is a group of its own, and not an orphaned one, where stop signals would count for nothing. */
const JOB = `import os, sys
pid = os.fork()
if pid == 0:
    os.setpgid(0, 0)
    os.execv(sys.argv[1], sys.argv[1:])
print(pid, flush=True)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** proc_pid_stat(5): t for a traced job that is stopped. */
const stateOf = (pid: string): string | undefined =>
  /.*\) (\S)/s.exec(readFileSync(`/proc/${pid}/stat`, 'latin1'))?.[1];

const counted = (evidence: readonly Evidence[], name: string): number =>
  evidence.filter(({ syscall }) => syscall === name).reduce((sum, { count }) => sum + count, 0);

async function underSignals(backend: (typeof BACKENDS)[number], restarts: boolean, calls: number) {
  const program = compileC(folder, 'signalled', SIGNALLED);
  const file = join(folder, 'signalled.txt');
  const { evidence, error, status } = await record({
    command: [program, file, restarts ? '1' : '0', String(calls)],
    backend,
  });
  assert.equal(error, undefined);
  assert.deepEqual(status, { code: 0 });
  const [signals = 0, failed = 0] = readFileSync(file, 'utf8').split(' ').map(Number);
  return { seen: counted(evidence, 'getpgid'), signals, failed };
}

for (const backend of BACKENDS) {
  test(`${backend}: of 10^6 calls under signals none is lost, doubled or failed where handlers have SA_RESTART`, async () => {
    const { seen, signals, failed } = await underSignals(backend, true, CALLS);
    console.log(`${backend}, SA_RESTART: ${seen} calls, ${signals} signals, ${failed} failed`);
    assert.ok(signals > 100);
    assert.equal(failed, 0);
    assert.equal(seen, CALLS);
  });

  test(`${backend}: without SA_RESTART a call that fails for a signal was not made, and no other is lost`, async () => {
    const { seen, signals, failed } = await underSignals(backend, false, CALLS);
    console.log(`${backend}, no SA_RESTART: ${seen} calls, ${signals} signals, ${failed} failed with EINTR`);
    // Interrupted before Selkie could receive it: docs/backends.md.
    assert.equal(seen + failed, CALLS);
    assert.ok(failed <= signals);
    if (backend === 'ptrace') assert.equal(failed, 0);
  });

  test(`${backend}: calls of four threads are all there`, async () => {
    const source = `#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>
static void *run(void *p) { for (int i = 0; i < ${CALLS / 4}; i++) syscall(SYS_getpgid, 0); return p; }
int main(void) { pthread_t t[4]; for (int i = 0; i < 4; i++) pthread_create(t + i, 0, run, 0);
  for (int i = 0; i < 4; i++) pthread_join(t[i], 0); return 0; }`;
    const { evidence } = await record({ command: [compileC(folder, 'four', source, ['-pthread'])], backend });
    assert.equal(counted(evidence, 'getpgid'), CALLS);
  });

  test(`${backend}: poll waits as long as it says, under signals too`, async () => {
    const source = `#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/time.h>
#include <time.h>
static void hit(int s) { (void)s; }
static long now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec * 1000000 + t.tv_nsec / 1000; }
int main(void) {
  for (int i = 0; i < 100; i++) { long begin = now(); if (poll(0, 0, 10) != 0 || now() - begin < 10000) return 1; }
  struct sigaction action = {.sa_handler = hit, .sa_flags = SA_RESTART};
  struct itimerval timer = {{0, 3000}, {0, 3000}};
  sigaction(SIGALRM, &action, 0);
  setitimer(ITIMER_REAL, &timer, 0);
  // poll never restarts behind a handler: signal(7).
  for (int i = 0; i < 100; i++) if (poll(0, 0, 1000) != -1 || errno != EINTR) return 2;
  return 0;
}`;
    const { status } = await record({ command: [compileC(folder, 'polls', source)], backend });
    assert.deepEqual(status, { code: 0 });
  });

  test(`${backend}: Go preempts loops without calls by SIGURG`, { skip: missingTools('go') }, async () => {
    const program = join(folder, 'preempt');
    buildGo('go', 'go-stress/preempt', program);
    const { status, evidence } = await record({ command: [program], backend });
    assert.deepEqual(status, { code: 0 });
    assert.ok(counted(evidence, 'tgkill') > 0);
    assert.ok(counted(evidence, 'rt_sigreturn') > 0);
  });

  test(`${backend}: a job that is stopped and continued by its terminal's signals stops and goes on, and so does Selkie`, {
    skip: missingTools('python3'),
  }, async () => {
    const words = [SELKIE, 'record', '-q', '--backend', backend, '--force', '-o', join(folder, 'job.yaml')];
    const loop = 'echo $$; i=0; while [ $i -lt 30 ]; do sleep 0.05; i=$((i + 1)); done; exit 6';
    const shell = spawn('python3', ['-c', JOB, process.execPath, ...words, 'sh', '-c', loop], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = new Promise((resolve) => shell.once('exit', resolve));
    let said = '';
    shell.stdout.on('data', (data) => {
      said += data;
    });
    while (said.split('\n').length < 3) await pause(20);
    const [selkie = '', target = ''] = said.split('\n');
    process.kill(-Number(selkie), 'SIGTSTP');
    await pause(700);
    assert.deepEqual([stateOf(selkie), stateOf(target)].join(' ').toUpperCase(), 'T T');
    process.kill(-Number(selkie), 'SIGCONT');
    assert.equal(await ended, 6);
  });
}
