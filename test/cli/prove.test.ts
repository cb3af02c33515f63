import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { encodeProgram } from '../../src/bpf/codec.ts';
import { buildProgram } from '../support/builds.ts';
import { scratchFolder } from '../support/folders.ts';
import { selkie } from '../support/selkie.ts';
import { missingTools } from '../support/tools.ts';

const POLICY = `selkie: 1
arches: [x86_64, i386, x32]
default: errno(EPERM)
bad_arch: kill_process
syscalls:
  allow:
    - exit_group
    - read
    - socket: domain == AF_UNIX
    - write
`;

/** A folder with p.yaml, and p.bpf made of it. */
function scratch(context: TestContext): string {
  const cwd = scratchFolder(context);
  writeFileSync(join(cwd, 'p.yaml'), POLICY);
  assert.equal(selkie(['compile', 'p.yaml', '-o', 'p.bpf'], { cwd }).status, 0);
  return cwd;
}

test('a program that means the policy: 0, and the exceptions are named', (context) => {
  const cwd = scratch(context);
  const { status, stdout, stderr } = selkie(['prove', '-p', 'p.yaml', 'p.bpf'], { cwd });
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^proven: for every architecture, number, instruction pointer and argument/);
  assert.match(stderr, /uretprobe and uprobe of x86_64/);
  const input = readFileSync(join(cwd, 'p.bpf'));
  assert.equal(selkie(['prove', '-p', 'p.yaml', '-'], { cwd, input }).status, 0);
});

test('one bit of one instruction: 1, with the calls that differ on each ABI', (context) => {
  const cwd = scratch(context);
  const loose = POLICY.replace('domain == AF_UNIX', 'domain in [AF_UNIX, AF_INET]');
  writeFileSync(join(cwd, 'loose.yaml'), loose);
  assert.equal(selkie(['compile', 'loose.yaml', '-o', 'loose.bpf'], { cwd }).status, 0);
  const { status, stdout } = selkie(['prove', '-p', 'p.yaml', 'loose.bpf'], { cwd });
  assert.equal(status, 1);
  assert.equal(
    stdout,
    'the program allows what the policy refuses with errno(EPERM) (i386, x86_64, x32): socket: domain == AF_INET; for example socket(2, 0, 0)\n',
  );
  const json = JSON.parse(selkie(['prove', '--json', '-p', 'p.yaml', 'loose.bpf'], { cwd }).stdout);
  assert.deepEqual([json.equal, json.differences.length], [false, 3]);
  for (const { condition, a, b, example } of json.differences)
    assert.deepEqual([condition, a, b, example.args[0]], ['domain == AF_INET', 'errno(EPERM)', 'allow', '0x2']);
});

test('a program that returns an argument: 1, one call for all, and a note that there are more', (context) => {
  const cwd = scratch(context);
  const returnsFirst = encodeProgram([
    { code: 0x20, jt: 0, jf: 0, k: 16 },
    { code: 0x16, jt: 0, jf: 0, k: 0 },
  ]);
  writeFileSync(join(cwd, 'a.bpf'), returnsFirst);
  for (const words of [
    ['prove', '-p', 'p.yaml', 'a.bpf'],
    ['diff', 'p.yaml', 'a.bpf'],
  ]) {
    const { status, stdout, stderr } = selkie(words, { cwd });
    assert.equal(status, 1, stderr);
    assert.match(stdout, /; for example [^;\n]+\n/);
    assert.match(stderr, /more calls differ than can be listed: this is one of them/);
    const json = JSON.parse(selkie([...words, '--json'], { cwd }).stdout);
    assert.deepEqual([json.equal, json.complete, json.differences.length], [false, false, 1]);
  }
  assert.equal(selkie(['prove', '-p', 'a.bpf', 'a.bpf'], { cwd }).status, 0);
});

test('a sealed binary is equal to its policy: the probe call does not count', {
  skip: missingTools('gcc'),
}, (context) => {
  const cwd = scratch(context);
  const { path } = buildProgram({ name: 'uname', tool: 'gcc', flags: ['-static'] }, 'uname.c', cwd);
  const policy = POLICY.replace('[x86_64, i386, x32]', '[x86_64]');
  writeFileSync(join(cwd, 's.yaml'), policy);
  assert.equal(selkie(['seal', '-q', '-p', 's.yaml', path, '-o', 'sealed'], { cwd }).status, 0);
  const proven = selkie(['prove', '-p', 's.yaml', 'sealed'], { cwd });
  assert.equal(proven.status, 0, proven.stdout);
  writeFileSync(join(cwd, 'more.yaml'), policy.replace('- read', '- seccomp'));
  assert.equal(selkie(['prove', '-p', 'more.yaml', 'sealed'], { cwd }).status, 1);
});

test('pid:N is all filters of a process together', {
  skip: process.getuid?.() === 0 ? missingTools('gcc') : 'needs root',
}, async (context) => {
  const cwd = scratchFolder(context);
  const { path } = buildProgram({ name: 'stacked', tool: 'gcc', flags: [] }, 'stacked.c', cwd);
  const child = spawn(path, { stdio: ['ignore', 'pipe', 'inherit'] });
  context.after(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  const lifted = selkie(['lift', `pid:${child.pid}`, '--json']);
  const { policy } = JSON.parse(lifted.stdout);
  writeFileSync(join(cwd, 'lifted.yaml'), policy);
  assert.equal(selkie(['prove', '-p', 'lifted.yaml', `pid:${child.pid}`], { cwd }).status, lifted.status);
  assert.equal(selkie(['prove', '-p', `pid:${child.pid}`, `pid:${child.pid}`]).status, 0);
  assert.equal(selkie(['prove', '-p', `pid:${process.pid}`, `pid:${child.pid}`]).status, 1);
});

test('bad input is 2', (context) => {
  const cwd = scratch(context);
  writeFileSync(join(cwd, 'short.bpf'), Buffer.alloc(7));
  for (const [words, reason] of [
    [['p.bpf'], /required option.*--policy/],
    [['-p', 'p.yaml', 'short.bpf'], /7 bytes|multiple of 8/],
    [['-p', 'p.yaml', 'none.bpf'], /"none\.bpf": no such file/],
    [['-p', 'p.yaml', 'pid:4194305'], /4194305/],
  ] as const) {
    const refused = selkie(['prove', ...words], { cwd });
    assert.ok([2, 125].includes(refused.status ?? -1), `${refused.status} ${refused.stderr}`);
    assert.match(refused.stderr, reason);
  }
});
