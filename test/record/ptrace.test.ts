import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Evidence, parseEvidence } from '../../src/record/evidence.ts';
import { temporaryFolder } from '../support/folders.ts';
import { compileC } from '../support/programs.ts';
import { SELKIE } from '../support/selkie.ts';
import { cannotCompile, missingTools } from '../support/tools.ts';
import { I386 } from '../support/victims.ts';

const folder = temporaryFolder();
const skip = missingTools('gcc');

let runs = 0;
/** Records a command, perhaps below the filter of a policy. */
function record(words: readonly string[], below?: string) {
  runs += 1;
  const policy = join(folder, `run-${runs}.yaml`);
  const outer = join(folder, `outer-${runs}.yaml`);
  if (below !== undefined) writeFileSync(outer, `selkie: 1\nsets: 1\ndefault: allow\nsyscalls:\n${below}`);
  const prefix = below === undefined ? [] : [SELKIE, 'run', '-p', outer, process.execPath];
  const args = [...prefix, SELKIE, 'record', '--json', '-o', policy, ...words];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 30_000 });
  const summary = stderr.startsWith('{') ? JSON.parse(stderr) : {};
  const file = policy.replace('.yaml', '.evidence.json');
  const evidence = status === 125 ? [] : parseEvidence(readFileSync(file, 'utf8'), file);
  return { status, stdout, stderr, summary, evidence };
}

const lineOf = (evidence: readonly Evidence[], name: string): Evidence | undefined =>
  evidence.find(({ syscall, phase }) => syscall === name && phase === 'program');

const NO_LISTENER = '  errno(EINVAL):\n    - seccomp: operation == 1 && (flags & 8) == 8\n';

test('auto is notify, and says why', () => {
  const { summary } = record(['true']);
  assert.equal(summary.backend, 'notify');
  assert.match(summary.why, /no rights/);
  assert.deepEqual(summary.unseen, []);
});

test('auto is ptrace where user notification is refused, and says why; what outer filters deny is said to be unseen', () => {
  const { status, summary, evidence } = record(['sh', '-c', 'exit 3'], NO_LISTENER);
  assert.equal(status, 3);
  assert.equal(summary.backend, 'ptrace');
  assert.match(summary.why, /^notify is refused: seccomp\(SECCOMP_FILTER_FLAG_NEW_LISTENER\): EINVAL/);
  assert.match(summary.unseen.join(), /^1 filter is already in force here: .*--backend ebpf$/);
  assert.ok(lineOf(evidence, 'exit_group'));
});

test('auto is ptrace where a notified call cannot be let through, as before Linux 5.5', () => {
  const { status, stdout, summary } = record(['echo', 'ran'], '  errno(EINVAL):\n    - ioctl: cmd == 0xc0182101\n');
  assert.equal(status, 0);
  assert.equal(stdout, 'ran\n');
  assert.equal(summary.backend, 'ptrace');
});

test('notify that is asked for and refused is an error, and nothing runs', () => {
  const { status, stdout, stderr } = record(['--backend', 'notify', 'echo', 'ran'], NO_LISTENER);
  assert.equal(status, 125);
  assert.equal(stdout, '');
  assert.match(stderr, /NEW_LISTENER/);
});

test('where neither is possible nothing runs: below a listener for all calls, and where ptrace is forbidden', () => {
  const inside = record([process.execPath, SELKIE, 'record', '-o', join(folder, 'inner.yaml'), 'echo', 'ran']);
  assert.equal(inside.status, 125);
  assert.equal(inside.stdout, '');
  const forbidden = record(['--backend', 'ptrace', 'echo', 'ran'], '  errno(EPERM): [ptrace]\n');
  assert.equal(forbidden.status, 125);
  assert.equal(forbidden.stdout, '');
  assert.match(forbidden.stderr, /PTRACE_SEIZE\): EPERM: wanted the right to trace/);
});

const OWN = `#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
static int install(unsigned nr, unsigned action) {
  struct sock_filter code[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
                               BPF_STMT(BPF_RET | BPF_K, action), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  struct sock_fprog program = {4, code};
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program); }
`;

for (const backend of ['notify', 'ptrace'])
  test(`${backend}: a program that installs a filter of its own is named; one that asks for flags only is not`, {
    skip,
  }, () => {
    const file = compileC(
      folder,
      `own-${backend}`,
      `${OWN}int main(void) { if (install(SYS_getppid, SECCOMP_RET_ERRNO | 1)) return 1; return syscall(SYS_getppid) != -1; }`,
    );
    const { status, summary, evidence } = record(['--backend', backend, file]);
    assert.equal(status, 0);
    assert.equal(summary.unseen.length, 1);
    assert.ok(summary.unseen[0].startsWith(`"${file}" installs filters of its own, at 0x`), summary.unseen[0]);
    assert.equal(lineOf(evidence, 'getppid'), undefined);
    const asking = compileC(
      folder,
      `asking-${backend}`,
      `${OWN}int main(void) { return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 1, 0) == 0; }`,
    );
    assert.deepEqual(record(['--backend', backend, asking]).summary.unseen, []);
  });

test('ptrace: RET_TRACE of a filter that the program brings is ENOSYS, as without a tracer', { skip }, () => {
  const file = compileC(
    folder,
    'own-trace',
    `${OWN}int main(void) { if (install(SYS_getppid, SECCOMP_RET_TRACE | 7)) return 1;
      return syscall(SYS_getppid) == -1 && errno == ENOSYS && syscall(SYS_getpid) > 0 ? 0 : 2; }`,
  );
  const { status, evidence } = record(['--backend', 'ptrace', file]);
  assert.equal(status, 0);
  assert.equal(lineOf(evidence, 'getppid')?.count, 1);
});

for (const [name, flags] of [
  ['x86_64', []],
  ['i386', I386],
] as const)
  test(`ptrace: a child that asks not to be traced has its calls all the same: ${name}`, {
    skip: skip || cannotCompile(...flags),
  }, () => {
    const file = compileC(
      folder,
      `untraced-${name}`,
      `${OWN}static int child(void) { for (int i = 0; i < 5; i++) if (syscall(SYS_getppid) < 0) _exit(1); _exit(0); }
      int main(void) { int status;
        if (syscall(SYS_clone, CLONE_UNTRACED | SIGCHLD, 0, 0, 0, 0) == 0) child();
        if (wait(&status) < 0 || status) return 1;
        unsigned long long args[8] = {CLONE_UNTRACED, 0, 0, 0, SIGCHLD};
        if (syscall(435, args, sizeof args) == 0) child();
        return wait(&status) < 0 || status; }`,
      [...flags],
    );
    const { status, evidence } = record(['--backend', 'ptrace', file]);
    assert.equal(status, 0);
    assert.equal(lineOf(evidence, 'getppid')?.count, 10);
  });
