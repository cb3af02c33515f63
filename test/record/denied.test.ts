import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Evidence, parseEvidence } from '../../src/record/evidence.ts';
import { temporaryFolder } from '../support/folders.ts';
import { compileC } from '../support/programs.ts';
import { SELKIE } from '../support/selkie.ts';
import { missingTools } from '../support/tools.ts';

// Calls that a filter denied, as eBPF sees them: they end without having begun.
const folder = temporaryFolder();
const skip =
  process.getuid?.() === 0 && existsSync('/sys/kernel/btf/vmlinux') ? false : 'eBPF needs root and a kernel with BTF';

const HEAD = `#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
static int install(unsigned nr, unsigned action, unsigned flags) {
  struct sock_filter code[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
                               BPF_STMT(BPF_RET | BPF_K, action), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  struct sock_fprog program = {4, code};
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program); }
static void hit(int s) { (void)s; }
static void *rest(void *p) { struct timespec t = {60, 0}; for (;;) nanosleep(&t, 0); return p; }
static void *call(void *p) { for (int i = 0; i < 100; i++) syscall(SYS_getppid); return p; }
`;

let runs = 0;
function record(file: string, prefix: readonly string[] = []) {
  runs += 1;
  const policy = join(folder, `run-${runs}.yaml`);
  const words = [...prefix, process.execPath, SELKIE, 'record', '--json', '--backend', 'ebpf', '-o', policy, file];
  const { status, stderr } = spawnSync(words[0] ?? '', words.slice(1), { encoding: 'utf8', timeout: 30_000 });
  const evidenceFile = policy.replace('.yaml', '.evidence.json');
  assert.ok(existsSync(evidenceFile), stderr);
  return { status, summary: JSON.parse(stderr), evidence: parseEvidence(readFileSync(evidenceFile, 'utf8'), file) };
}

const program = (name: string, body: string): string =>
  compileC(folder, name, `${HEAD}int main(void) { ${body} return 0; }`, ['-pthread', '-w']);

/** Counts and denied calls of the program's phase, by name. */
const counts = (evidence: readonly Evidence[], ...names: readonly string[]) =>
  names.map((name) => {
    const line = evidence.find(({ syscall, phase }) => syscall === name && phase === 'program');
    return [name, line?.count, line?.denied, line?.errnos?.join()];
  });

const FIVE = 'for (int i = 0; i < 5; i++) syscall(SYS_getppid); syscall(SYS_getpid); syscall(SYS_close, -1);';

test('what a filter around Selkie denies is evidence, with its errno, and what fails for other reasons is not denied', {
  skip,
}, () => {
  const outer = join(folder, 'outer.yaml');
  writeFileSync(outer, 'selkie: 1\nsets: 1\ndefault: allow\nsyscalls:\n  errno(EACCES): [getppid]\n');
  const { status, summary, evidence } = record(program('outer', FIVE), [process.execPath, SELKIE, 'run', '-p', outer]);
  assert.equal(status, 0);
  assert.deepEqual(summary.unseen, []);
  assert.deepEqual(counts(evidence, 'getppid', 'getpid', 'close'), [
    ['getppid', 5, 5, 'EACCES'],
    ['getpid', 1, undefined, ''],
    ['close', 1, undefined, 'EBADF'],
  ]);
});

test('bubblewrap --seccomp around Selkie', { skip: skip || missingTools('bwrap') }, () => {
  const policy = join(folder, 'bwrap.yaml');
  const bpf = join(folder, 'bwrap.bpf');
  writeFileSync(policy, 'selkie: 1\nsets: 1\ndefault: allow\nsyscalls:\n  errno(ENOSYS): [getppid]\n');
  assert.equal(spawnSync(process.execPath, [SELKIE, 'compile', policy, '-o', bpf]).status, 0);
  const shell = `exec 9<${bpf}; exec bwrap --dev-bind / / --cap-add ALL --seccomp 9 "$@"`;
  const { evidence } = record(program('bwrap', FIVE), ['sh', '-c', shell, 'sh']);
  assert.deepEqual(counts(evidence, 'getppid', 'getpid'), [
    ['getppid', 5, 5, 'ENOSYS'],
    ['getpid', 1, undefined, ''],
  ]);
});

test('of a filter that the program brings: errno, trap and kill; threads and children too', { skip }, () => {
  const { status, evidence } = record(
    program(
      'own',
      `prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); signal(SIGSYS, hit);
       syscall(SYS_getppid);
       if (install(SYS_getppid, SECCOMP_RET_ERRNO | EPERM, 0) || install(SYS_getuid, SECCOMP_RET_TRAP, 0)
           || install(SYS_getgid, SECCOMP_RET_KILL_PROCESS, 0)) return 1;
       pthread_t t[2]; for (int i = 0; i < 2; i++) pthread_create(t + i, 0, call, 0);
       for (int i = 0; i < 2; i++) pthread_join(t[i], 0);
       if (!fork()) { call(0); _exit(0); } wait(0);
       syscall(SYS_getuid); syscall(SYS_geteuid); syscall(SYS_getgid);`,
    ),
  );
  assert.equal(status, 128 + 31);
  assert.deepEqual(counts(evidence, 'getppid', 'getuid', 'geteuid', 'getgid'), [
    ['getppid', 301, 300, 'EPERM'],
    ['getuid', 1, 1, ''],
    ['geteuid', 1, undefined, ''],
    ['getgid', 1, 1, ''],
  ]);
});

test('a thread that was in a call when another put it under a filter is not denied that call', { skip }, () => {
  const { status, evidence } = record(
    program(
      'tsync',
      `prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
       struct sigaction a = {.sa_handler = hit}; sigaction(SIGUSR1, &a, 0);
       pthread_t t; pthread_create(&t, 0, rest, 0); usleep(50000);
       if (install(SYS_getppid, SECCOMP_RET_ERRNO | EPERM, SECCOMP_FILTER_FLAG_TSYNC)) return 1;
       pthread_kill(t, SIGUSR1); usleep(50000); syscall(SYS_getppid);`,
    ),
  );
  assert.equal(status, 0);
  const denied = evidence.filter((line) => line.denied !== undefined).map(({ syscall }) => syscall);
  assert.deepEqual(denied, ['getppid']);
});
