import assert from 'node:assert/strict';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { printCondition } from '../../src/policy/condition-print.ts';
import type { Rule } from '../../src/policy/model.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { parseEvidence } from '../../src/record/evidence.ts';
import { temporaryFolder } from '../support/folders.ts';
import { compileC } from '../support/programs.ts';
import { type RunOptions, selkie } from '../support/selkie.ts';
import { cannotCompile } from '../support/tools.ts';

const folder = temporaryFolder();
chmodSync(folder, 0o777);
const hasEbpf = process.getuid?.() === 0 && existsSync('/sys/kernel/btf/vmlinux');

/** What the program calls by default, and by a word more what it has never called then. */
const SOURCE = `#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
static int one = 1, word; static char room[64];
static int refused(long r) { return r == -1 && errno == EPERM ? 42 : 7; }
int main(int argc, char **argv) {
  char *page = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mprotect(page, 4096, PROT_READ | PROT_EXEC); mprotect(page, 4096, PROT_READ | PROT_WRITE);
  for (int i = 0; i < 5; i++) close(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  int s = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, 4); setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, 4);
  close(openat(AT_FDCWD, "/", O_RDONLY | O_DIRECTORY)); close(openat(AT_FDCWD, "/dev/null", O_WRONLY | O_CLOEXEC));
  ioctl(s, TCGETS, room); prctl(PR_SET_NAME, "x"); fcntl(s, F_GETFL); madvise(page, 4096, MADV_DONTNEED);
  syscall(SYS_futex, &word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1);
  int pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); if (pid == 0) _exit(0); waitpid(pid, 0, 0);
  if (argc < 2) return 0;
  if (!strcmp(argv[1], "socket")) return refused(socket(AF_NETLINK, SOCK_RAW, 0));
  if (!strcmp(argv[1], "protocol")) return refused(socket(AF_INET, SOCK_STREAM, IPPROTO_ICMP));
  if (!strcmp(argv[1], "mprotect")) return refused(mprotect(page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC));
  if (!strcmp(argv[1], "openat")) return refused(openat(AT_FDCWD, "/tmp", O_TMPFILE | O_WRONLY, 0600));
  if (!strcmp(argv[1], "ioctl")) return refused(ioctl(s, TIOCSTI, room));
  if (!strcmp(argv[1], "prctl")) return refused(prctl(PR_GET_NAME, room));
  if (!strcmp(argv[1], "fcntl")) return refused(fcntl(s, F_SETFL, 0));
  if (!strcmp(argv[1], "madvise")) return refused(madvise(page, 4096, MADV_FREE));
  if (!strcmp(argv[1], "futex")) return refused(syscall(SYS_futex, &word, FUTEX_REQUEUE, 1, 0, &word, 0));
  if (!strcmp(argv[1], "clone")) return refused(syscall(SYS_clone, SIGCHLD | CLONE_NEWUTS, 0, 0, 0, 0));
  if (!strcmp(argv[1], "setsockopt")) return refused(setsockopt(s, SOL_SOCKET, SO_BROADCAST, &one, 4));
  return 1; }`;
const program = compileC(folder, 'selectors', SOURCE);

const WANTED = {
  clone: ['flags == SIGCHLD'],
  fcntl: ['cmd == F_GETFL'],
  futex: ['(futex_op & 0x7f) == FUTEX_WAKE && (futex_op & ~0x7f) within [FUTEX_PRIVATE_FLAG]'],
  ioctl: ['request == TCGETS'],
  madvise: ['advice == MADV_DONTNEED'],
  mprotect: ['prot within [PROT_READ, PROT_WRITE, PROT_EXEC] && (prot & PROT_WRITE|PROT_EXEC) != PROT_WRITE|PROT_EXEC'],
  openat: [
    '(flags & O_ACCMODE) == O_RDONLY && (flags & ~O_ACCMODE) within [O_DIRECTORY]',
    '(flags & O_ACCMODE) == O_WRONLY && (flags & ~O_ACCMODE) within [O_CLOEXEC]',
  ],
  prctl: ['option == PR_SET_NAME'],
  setsockopt: ['level == SOL_SOCKET && optname == SO_REUSEADDR', 'level == SOL_TCP && optname == TCP_NODELAY'],
  socket: [
    'domain == AF_INET && type == SOCK_STREAM && protocol == IPPROTO_IP',
    'domain == AF_UNIX && (type & 0xf) == SOCK_STREAM && (type & ~0xf) within [SOCK_CLOEXEC] && protocol == 0',
  ],
};

let runs = 0;
const newPolicy = () => join(folder, `run-${++runs}.yaml`);
function record(words: readonly string[], options: RunOptions = {}, policy = newPolicy(), wanted = 0) {
  const result = selkie(['record', '--json', '-o', policy, ...words], options);
  assert.equal(result.status, wanted, result.stderr);
  const file = policy.replace('.yaml', '.evidence.json');
  const text = readFileSync(policy, 'utf8');
  const evidence = parseEvidence(readFileSync(file, 'utf8'), file);
  return { policy, file, text, evidence, summary: JSON.parse(result.stderr), rules: parsePolicy(text).syscalls };
}

const conditionsOf = (rules: readonly Rule[], call: string): readonly string[] =>
  rules
    .filter((rule) => rule.call.kind === 'name' && rule.call.name === call)
    .map(({ condition }) => (condition ? printCondition(condition) : 'any'));

const notified = record(['--args', '--no-floor', program]);

test('conditions say what was seen, and beside them stands how often', () => {
  for (const [call, conditions] of Object.entries(WANTED))
    assert.deepEqual(conditionsOf(notified.rules, call), conditions);
  assert.match(notified.text, /- prctl: option == PR_SET_NAME # seen once$/m);
  assert.match(notified.text, /AF_UNIX .*# seen 5 times$/m);
  assert.match(notified.text, /# seen 2 times: PROT_READ\|PROT_WRITE ×1, PROT_READ\|PROT_EXEC ×1$/m);
});

test('what is dangerous and was never seen is named', () => {
  assert.match(notified.text, /# mprotect, never seen: PROT_WRITE\|PROT_EXEC\n/);
  assert.match(notified.text, /# clone, never seen: CLONE_NEWNS, .*CLONE_NEWUSER/);
  assert.match(notified.text, /# openat, never seen: O_TMPFILE\n/);
  assert.match(notified.text, /# socket, never seen: AF_NETLINK, .*SOCK_RAW\n/);
});

test('evidence has a line for each kind of arguments; counts add up to those without --args', () => {
  const sockets = notified.evidence.filter(({ syscall }) => syscall === 'socket');
  assert.deepEqual(
    sockets.map(({ condition, count }) => [condition, count]),
    [
      [{ domain: 1n, type: 0x80001n, protocol: 0n }, 5],
      [{ domain: 2n, type: 1n, protocol: 0n }, 1],
    ],
  );
  const plain = record(['--no-floor', program]);
  const total = ({ evidence }: typeof plain) => evidence.reduce((sum, { count }) => sum + count, 0);
  assert.equal(total(notified), total(plain));
  assert.equal(notified.summary.calls, total(notified));
  assert.ok(plain.evidence.every(({ condition }) => condition === null));
  assert.ok(!/within|seen/.test(plain.text));
});

test('by ptrace the policy is the same, to the byte', () => {
  assert.equal(record(['--backend', 'ptrace', '--args', '--no-floor', program]).text, notified.text);
});

test('by eBPF the policy is the same, to the byte', { skip: hasEbpf ? false : 'eBPF needs root and BTF' }, () => {
  assert.equal(record(['--backend', 'ebpf', '--args', '--no-floor', program]).text, notified.text);
});

test('the program runs under the policy; what it never called is refused', () => {
  assert.equal(selkie(['run', '-p', notified.policy, program]).status, 0);
  for (const word of [...Object.keys(WANTED), 'protocol']) {
    assert.equal(selkie(['run', '-p', notified.policy, program, word]).status, 42, word);
  }
});

test('an unprivileged user gets the same conditions', () => {
  const { rules } = record(['--args', '--no-floor', program], { nobody: true });
  for (const [call, conditions] of Object.entries(WANTED)) assert.deepEqual(conditionsOf(rules, call), conditions);
});

test('explain says which condition would permit what was refused', () => {
  const { stderr } = selkie(['run', '--explain', '-p', notified.policy, program, 'mprotect']);
  assert.match(stderr, /denied mprotect\(.*allow mprotect: prot within \[PROT_READ, PROT_WRITE, PROT_EXEC\]/);
  const socket = selkie(['run', '--explain', '-p', notified.policy, program, 'socket']).stderr;
  assert.match(socket, /allow socket: domain == AF_NETLINK && type == SOCK_RAW && protocol == NETLINK_ROUTE/);
});

test('--merge widens the conditions of earlier runs, and says what was new', () => {
  const first = record(['--args', '--no-floor', program]);
  const same = record(['--args', '--no-floor', '--merge', program], {}, first.policy);
  assert.deepEqual(same.summary.added, []);
  assert.equal(same.summary.completeness.newRuns, 1);
  assert.match(same.text, /AF_UNIX .*# seen 10 times$/m);
  for (const [call, conditions] of Object.entries(WANTED)) assert.deepEqual(conditionsOf(same.rules, call), conditions);
  const wider = selkie([
    'record',
    '--json',
    '--args',
    '--no-floor',
    '--merge',
    '-o',
    first.policy,
    program,
    'mprotect',
  ]);
  const summary = JSON.parse(wider.stderr);
  assert.deepEqual(summary.added, ['mprotect(PROT_READ|PROT_WRITE|PROT_EXEC)']);
  assert.equal(summary.completeness.newRuns, 2);
  assert.deepEqual(summary.completeness.once, ['mprotect(PROT_READ|PROT_WRITE|PROT_EXEC)']);
  const rules = parsePolicy(readFileSync(first.policy, 'utf8')).syscalls;
  assert.deepEqual(conditionsOf(rules, 'mprotect'), ['prot within [PROT_READ, PROT_WRITE, PROT_EXEC]']);
});

test('--merge leaves alone what people wrote: their rules stay, with or without conditions', () => {
  const first = record(['--args', '--no-floor', program]);
  const text = first.text
    .replace(/- prctl:.*\n/, '- prctl\n')
    .replace('option ==', 'option in')
    .replace('cmd == F_GETFL', 'cmd in [F_GETFL, F_SETFL]');
  writeFileSync(first.policy, text);
  const { rules } = record(['--args', '--no-floor', '--merge', program], {}, first.policy);
  assert.deepEqual(conditionsOf(rules, 'prctl'), ['any']);
  assert.ok(conditionsOf(rules, 'fcntl').includes('cmd in [F_GETFL, F_SETFL]'));
});

test('arguments that an earlier run did not record are any arguments, and the policy says why', () => {
  const first = record(['--no-floor', program]);
  const { rules, text } = record(['--args', '--no-floor', '--merge', program], {}, first.policy);
  assert.deepEqual(conditionsOf(rules, 'socket'), ['any']);
  const later = record(['--args', '--no-floor', program]);
  const opened = record(['--no-floor', '--merge', program], {}, later.policy);
  assert.deepEqual(conditionsOf(opened.rules, 'prctl'), ['any']);
  assert.match(opened.text, /- prctl # no condition: arguments of a call are not known/);
  assert.ok(!/- prctl:/.test(text));
});

test('where a floor permits a call with any arguments the rule has no condition, and says so; one written by hand is stricter', () => {
  const { policy, rules, text } = record(['--args', program]);
  assert.deepEqual(conditionsOf(rules, 'mprotect'), ['any']);
  assert.match(
    text,
    /- mprotect # no condition: @glibc permits it with any arguments; never seen: PROT_WRITE\|PROT_EXEC\n/,
  );
  assert.equal(selkie(['run', '-p', policy, program, 'mprotect']).status, 7);
  const rule = '  errno(EPERM):\n    - mprotect: (prot & PROT_WRITE|PROT_EXEC) == PROT_WRITE|PROT_EXEC\n';
  writeFileSync(policy, text.replace(/^start:$/m, `${rule}start:`));
  assert.equal(selkie(['run', '-p', policy, program, 'mprotect']).status, 42);
  assert.equal(selkie(['run', '-p', policy, program]).status, 0);
  assert.deepEqual(conditionsOf(rules, 'socket'), WANTED.socket);
});

test('what was never seen is not said any more when a later run shows it, whatever rules people changed', () => {
  const first = record(['--args', program]);
  const later = record(['--args', '--merge', program, 'mprotect'], {}, first.policy, 7);
  assert.match(later.text, /- mprotect # no condition: @glibc permits it with any arguments\n/);
  const other = record(['--args', '--no-floor', program]);
  writeFileSync(other.policy, other.text.replace('prot within [PROT_READ, PROT_WRITE', 'prot within [PROT_WRITE'));
  const merged = record(['--args', '--no-floor', '--merge', program, 'mprotect'], {}, other.policy, 7);
  assert.doesNotMatch(merged.text.split('\nstart:')[0] ?? '', /never seen: PROT_WRITE\|PROT_EXEC\n {4}- mprotect/);
  assert.match(merged.text, /- mprotect: prot within \[PROT_READ, PROT_WRITE, PROT_EXEC\] # seen/);
});

const BACKENDS = ['notify', 'ptrace', ...(hasEbpf ? ['ebpf'] : [])];

test('too many kinds of arguments: no condition, and all calls are counted', () => {
  const source = `#include <sys/syscall.h>
#include <unistd.h>
int main(void) { for (int i = 0; i < 1000; i++) syscall(SYS_ioctl, -1, i % 200, 0); return 0; }`;
  const many = compileC(folder, 'many', source, ['-static']);
  for (const backend of BACKENDS) {
    const { rules, text, evidence } = record(['--backend', backend, '--args', '--no-floor', many]);
    assert.deepEqual(conditionsOf(rules, 'ioctl'), ['any'], backend);
    assert.match(text, /- ioctl # no condition: arguments of \d+ calls are not known/);
    const lines = evidence.filter(({ syscall }) => syscall === 'ioctl');
    assert.equal(
      lines.reduce((sum, { count }) => sum + count, 0),
      1000,
    );
    assert.ok(lines.length <= 65);
  }
});

test('what stands above the 32 bits that the kernel reads of an int is not looked at', () => {
  const source = `#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(int argc, char **argv) {
  if (syscall(SYS_socket, argc > 1 ? 1 : 0x7bad00000001, 0x100000001, 0) < 0) return 1;
  syscall(SYS_ioctl, -1, argc > 1 ? 0x5401 : 0xffffffff00005401, 0);
  return errno == EBADF ? 0 : 2; }`;
  const garbage = compileC(folder, 'garbage', source, ['-static']);
  for (const backend of BACKENDS) {
    const { rules, policy } = record(['--backend', backend, '--args', '--no-floor', garbage]);
    assert.deepEqual(conditionsOf(rules, 'socket'), ['domain == AF_UNIX && type == SOCK_STREAM && protocol == 0']);
    assert.deepEqual(conditionsOf(rules, 'ioctl'), ['request == TCGETS']);
    assert.equal(selkie(['run', '-p', policy, garbage]).status, 0);
    assert.equal(selkie(['run', '-p', policy, garbage, 'plain']).status, 0);
  }
});

const MIXED = `#include <sys/syscall.h>
#include <unistd.h>
static long int80(long nr, long a, long b, long c) {
  long r; __asm__ volatile("int $0x80" : "=a"(r) : "a"(nr), "b"(a), "c"(b), "d"(c) : "memory"); return r; }
int main(int argc, char **argv) {
  if (syscall(SYS_socket, 1, 1, 0) < 0) return 1;
  syscall(0x40000000 + 41, 1, 2, 0); // whether or not the kernel has x32
  if (int80(359, 1, 5, 0) < 0) return 3;
  if (argc > 1) return int80(359, 1, 1, 0) == -1 && syscall(SYS_socket, 1, 5, 0) == -1 ? 42 : 4;
  return 0; }`;

test('several ABIs: each has the conditions of what was called through it', () => {
  const mixed = compileC(folder, 'mixed', MIXED, ['-static']);
  for (const backend of BACKENDS) {
    const { rules, policy } = record(['--backend', backend, '--args', '--no-floor', mixed]);
    const types = Object.fromEntries(
      rules
        .filter(({ call }) => call.kind === 'name' && call.name === 'socket')
        .map(({ only, condition }) => [only ?? '', condition ? printCondition(condition) : '']),
    );
    const wanted = (type: string) => `domain == AF_UNIX && type == ${type} && protocol == 0`;
    assert.deepEqual(types, {
      i386: wanted('SOCK_SEQPACKET'),
      x32: wanted('SOCK_DGRAM'),
      x86_64: wanted('SOCK_STREAM'),
    });
    assert.equal(selkie(['run', '-p', policy, mixed]).status, 0);
    assert.equal(selkie(['run', '-p', policy, mixed, 'other']).status, 42);
  }
});

test('an i386 program: its socketcall is told apart by its number alone', { skip: cannotCompile('-m32') }, () => {
  const source = `#include <sys/syscall.h>
#include <unistd.h>
int main(void) { long args[3] = {1, 1, 0}; return syscall(SYS_socketcall, 1, args) < 0; }`;
  const { text } = record(['--args', '--no-floor', compileC(folder, 'socketcall', source, ['-m32', '-static'])]);
  assert.match(text, /- socketcall: call == SYS_SOCKET # seen once/);
});
