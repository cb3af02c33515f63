import assert from 'node:assert/strict';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { scratchFolder } from '../support/folders.ts';
import { compileC } from '../support/programs.ts';
import { ROOT, runCommand, selkie } from '../support/selkie.ts';
import { missingTools } from '../support/tools.ts';

const SOURCE = `#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
__attribute__((noinline)) int connect_out(void) { return socket(AF_INET, SOCK_STREAM, 0) < 0 ? errno : 0; }
int main(void) { int first = connect_out(); connect_out(); return first; }
`;
/** Ends by 42 where the kernel tells what seccomp(2) says it tells of the call: si_code is SYS_SECCOMP, 1. */
const TRAPPED = `#define _GNU_SOURCE
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
static void handler(int number, siginfo_t *info, void *context) {
  _exit(info->si_code == 1 && info->si_errno == 7 && info->si_syscall == SYS_socket ? 42 : 1);
}
int main(void) {
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  sigaction(SIGSYS, &action, NULL);
  return socket(AF_INET, SOCK_STREAM, 0);
}
`;
const policy = (action: string): string =>
  `selkie: 1\nsets: 1\narches: [x86_64]\ndefault: allow\nsyscalls:\n  ${action}:\n    - socket\n`;

for (const nobody of [false, true])
  test(`a denied call gets the policy's errno and one line${nobody ? ', as uid 65534' : ''}`, {
    skip: missingTools('gcc'),
  }, (context) => {
    const folder = scratchFolder(context);
    const file = compileC(folder, 'victim', SOURCE, ['-static']);
    writeFileSync(join(folder, 'p.yaml'), policy('errno(EACCES)'));
    const { status, stderr } = selkie(['run', '--explain', '-p', 'p.yaml', file], { cwd: folder, nobody });
    assert.equal(status, 13, stderr);
    const line =
      'denied socket(AF_INET, SOCK_STREAM, IPPROTO_IP) → EACCES ×2 in victim at socket (victim), called by connect_out, thread main; to permit it: allow socket';
    assert.ok(stderr.includes(line), stderr);
  });

test('kill_process is the death by SIGSYS that the kernel gives, also where SIGSYS is caught', {
  skip: missingTools('gcc'),
}, (context) => {
  const folder = scratchFolder(context);
  const caught = SOURCE.replace('int main(void) {', '#include <signal.h>\nint main(void) { signal(SIGSYS, SIG_IGN);');
  const file = compileC(folder, 'victim', caught);
  writeFileSync(join(folder, 'p.yaml'), policy('kill_process'));
  const explained = selkie(['explain', '-p', 'p.yaml', '--json', file], { cwd: folder });
  assert.equal(explained.status, 128 + 31, explained.stderr);
  const lines = explained.stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    lines.map(({ event, answer, function: name }) => [event, answer, name]),
    [
      ['denied', 'kill_process', 'socket'],
      ['total', 'kill_process', 'socket'],
    ],
  );
});

for (const action of ['kill_thread', 'trap(0)'])
  test(`${action} is the kernel's own: the end by SIGSYS is said, and what would name the call`, {
    skip: missingTools('gcc'),
  }, (context) => {
    const folder = scratchFolder(context);
    const file = compileC(folder, 'victim', SOURCE);
    writeFileSync(join(folder, 'p.yaml'), policy(action));
    const [name = ''] = action.split('(');
    const explained = selkie(['explain', '-p', 'p.yaml', file], { cwd: folder });
    assert.equal(explained.status, 128 + 31, explained.stderr);
    assert.match(explained.stderr, new RegExp(`ended by SIGSYS, as ${name} makes it.*put kill_process in its place`));
    const words = ['explain', '-p', 'p.yaml', '--json', 'sh', '-c', `${file}; exit $?`];
    const line = selkie(words, { cwd: folder }).stderr.trim().split('\n').at(-1) ?? '';
    assert.deepEqual(JSON.parse(line), { event: 'untold', signal: 'SIGSYS', actions: [name] });
  });

test('a handler of SIGSYS is told of a trapped call by the kernel itself', { skip: missingTools('gcc') }, (context) => {
  const folder = scratchFolder(context);
  const file = compileC(folder, 'victim', TRAPPED);
  writeFileSync(join(folder, 'p.yaml'), policy('trap(7)'));
  const { status, stderr } = selkie(['explain', '-p', 'p.yaml', file], { cwd: folder });
  assert.equal(status, 42, stderr);
});

test("behind the C library and C++'s own, a method of the program is named", {
  skip: missingTools('g++'),
}, (context) => {
  const folder = scratchFolder(context);
  const file = join(folder, 'store');
  const source = join(ROOT, 'test/programs/denied.cc');
  const built = runCommand(['g++', '-std=c++17', '-O2', '-o', file, source]);
  assert.equal(built.status, 0, built.stderr);
  writeFileSync(join(folder, 'p.yaml'), policy('errno(EPERM)').replace('socket', 'mkdir'));
  const { stderr } = selkie(['explain', '-p', 'p.yaml', '--json', file], { cwd: folder });
  const denied = JSON.parse(stderr.split('\n')[0] ?? '');
  assert.deepEqual([denied.function, denied.module, denied.caller], ['mkdir', 'libc.so.6', 'shop::Store::open']);
});

test('a container has its own files: functions are named by those, not by ours of the same path', {
  skip: process.getuid?.() === 0 ? missingTools('gcc', 'chroot') : 'chroot needs root',
}, (context) => {
  const folder = scratchFolder(context);
  const root = join(folder, 'root');
  const place = (name: string): string => compileC(folder, name, SOURCE.replaceAll('connect_out', name), ['-static']);
  const file = place('outside');
  mkdirSync(join(root, folder), { recursive: true });
  renameSync(place('inside'), join(root, file));
  writeFileSync(join(folder, 'p.yaml'), policy('errno(EPERM)'));
  for (const [name, words] of [
    ['outside', [file]],
    ['inside', ['chroot', root, file]],
  ] as const) {
    const { stderr } = selkie(['explain', '-p', 'p.yaml', '--json', ...words], { cwd: folder });
    const line = stderr.split('\n').find((each) => each.includes('"total"')) ?? '';
    assert.equal(JSON.parse(line).caller, name, stderr);
  }
});

test('a later exec is denied where start: alone permits it, in one line that says so', {
  skip: missingTools('gcc'),
}, (context) => {
  const folder = scratchFolder(context);
  const source = '#include <unistd.h>\nint main(void) { execl("/bin/true", "true", (char *)0); return 3; }\n';
  const file = compileC(folder, 'executes', source, ['-static']);
  const text = policy('errno(EPERM)').replace('socket', 'execve');
  writeFileSync(join(folder, 'p.yaml'), `${text}start:\n  allow:\n    - execve: arg0 != 0\n    - execve: arg0 == 0\n`);
  const { status, stderr } = selkie(['run', '--explain', '-p', 'p.yaml', file], { cwd: folder });
  assert.equal(status, 3, stderr);
  assert.match(
    stderr,
    /denied execve\(.*\) → EPERM ×1 in executes .*to permit it: allow execve in syscalls: \(start: ended at the entry\)\n/,
  );
});
