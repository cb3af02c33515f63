import assert from 'node:assert/strict';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { buildProgram } from '../support/builds.ts';
import { scratchFolder, temporaryFolder } from '../support/folders.ts';
import { selkie } from '../support/selkie.ts';
import { missingTools } from '../support/tools.ts';

const POLICY = `selkie: 1
sets: 1
arches: [x86_64]
default: allow
bad_arch: kill_process
syscalls:
  errno(EDOM):
    - mkdir
    - socket: not domain in [AF_UNIX, AF_INET]
`;

const folder = temporaryFolder();
chmodSync(folder, 0o777);
const skip = missingTools('gcc', 'setpriv', 'sh');
const installer = (): string =>
  buildProgram({ name: 'installer', tool: 'gcc', flags: ['-pthread'] }, 'installer.c', folder).path;

interface Json {
  readonly exact: boolean;
  readonly policy: string;
  readonly rules: number;
}

/** What the last line of stderr says under --json. */
function jsonOf(stderr: string): Json {
  return JSON.parse(stderr.slice(stderr.indexOf('{'), stderr.lastIndexOf('}') + 1));
}

test('a program becomes the policy that it was made of, on standard output or in a file', (context) => {
  const cwd = scratchFolder(context);
  writeFileSync(join(cwd, 'p.yaml'), POLICY);
  assert.equal(selkie(['compile', 'p.yaml', '-o', 'p.bpf'], { cwd }).status, 0);
  const lifted = selkie(['lift', 'p.bpf'], { cwd });
  assert.equal(lifted.status, 0, lifted.stderr);
  assert.equal(lifted.stdout, POLICY);
  assert.match(lifted.stderr, /^selkie lift: 2 rules, proven equal to the filter$/m);
  assert.equal(selkie(['lift', '-'], { cwd, input: readFileSync(join(cwd, 'p.bpf')) }).stdout, POLICY);
  const written = selkie(['lift', 'p.bpf', '-o', 'out.yaml'], { cwd });
  assert.deepEqual([written.stdout, readFileSync(join(cwd, 'out.yaml'), 'utf8')], ['', POLICY]);
  assert.equal(selkie(['lift', 'p.bpf', '-o', 'out.yaml'], { cwd }).status, 2);
  assert.equal(selkie(['lift', 'p.bpf', '-o', 'out.yaml', '--force'], { cwd }).status, 0);
});

test('what no policy can say: 1, named', (context) => {
  const cwd = scratchFolder(context);
  // ld args[0]; jeq 59: errno(EPERM), else allow: no look at the architecture, nor at the number.
  const rows = [
    [0x20, 0, 0, 16],
    [0x15, 0, 1, 59],
    [0x06, 0, 0, 0x0005_0001],
    [0x06, 0, 0, 0x7fff_0000],
  ] as const;
  const bytes = Buffer.alloc(32);
  rows.forEach(([code, jt, jf, k], index) => {
    bytes.writeUInt16LE(code, 8 * index);
    bytes[8 * index + 2] = jt;
    bytes[8 * index + 3] = jf;
    bytes.writeUInt32LE(k, 8 * index + 4);
  });
  const lifted = selkie(['lift', '-'], { cwd, input: bytes });
  assert.equal(lifted.status, 1);
  assert.match(
    lifted.stderr,
    /not in the policy: what syscall\(0\) to syscall\(4294967295\) get of other architectures/,
  );
  assert.match(lifted.stderr, /proven equal to the filter but for what is named above$/m);
  assert.match(lifted.stdout, /^syscalls: \{\}$/m);
});

test('a command: its output is its own, refused installations do not count, flags are told', { skip }, () => {
  const file = join(folder, 'own.yaml');
  const words = ['lift', '--force', '-o', file, '--', installer(), 'seccomp', 'listener', 'bad', 'flags', 'uname'];
  const lifted = selkie(words, { nobody: true });
  // It does not look at the architecture: its numbers are those of other ABIs too.
  assert.equal(lifted.status, 0, lifted.stderr);
  assert.equal(lifted.stdout, 'seccomp 0\nlistener -16\nbad -22\nflags -22\nuname -33\n');
  assert.match(lifted.stderr, /wanted to install 4 instructions, flags NEW_LISTENER: refused with EBUSY$/m);
  assert.match(lifted.stderr, /wanted to install .*: refused with EINVAL$/m);
  assert.match(lifted.stderr, /^note: lifted is what pid \d+ has, which made the last installation: 1 filter$/m);
  assert.match(readFileSync(file, 'utf8'), /errno\(EDOM\):\n {4,6}- uname/);
});

test('filters of one process and of its ancestors are together; those of others are not', { skip }, () => {
  const file = join(folder, 'line.yaml');
  const lift = (script: string): string => {
    const { status, stderr } = selkie(['lift', '--force', '-o', file, '--', 'sh', '-c', script], { nobody: true });
    assert.ok(status === 0 || status === 1, stderr);
    return stderr;
  };
  const one = installer();
  assert.match(lift(`${one} seccomp strict-uname`), /last installation: 2 filters$/m);
  assert.match(lift(`${one} seccomp; ${one} seccomp`), /last installation: 1 filter$/m);
});

test('inherited filters: bubblewrap inside of bubblewrap', { skip: skip || missingTools('bwrap') }, (context) => {
  const cwd = scratchFolder(context);
  chmodSync(cwd, 0o777);
  for (const [name, call] of [
    ['a', 'acct'],
    ['b', 'socket: domain == AF_VSOCK'],
  ] as const) {
    const text = `selkie: 1\narches: [x86_64]\ndefault: allow\nsyscalls:\n  errno(EDOM):\n    - ${call}\n`;
    writeFileSync(join(cwd, `${name}.yaml`), text);
    assert.equal(selkie(['compile', `${name}.yaml`, '-o', `${name}.bpf`], { cwd }).status, 0);
  }
  const inner = 'bwrap --dev-bind / / --seccomp 8 sh -c "exit 3" 8<b.bpf';
  const script = `exec bwrap --dev-bind / / --seccomp 9 sh -c '${inner}' 9<a.bpf`;
  const lifted = selkie(['lift', '-o', 'both.yaml', '--', 'sh', '-c', script], { cwd });
  assert.equal(lifted.status, 3, lifted.stderr);
  assert.match(lifted.stderr, /2 filters, 1 of them inherited$/m);
  const text = readFileSync(join(cwd, 'both.yaml'), 'utf8');
  assert.match(text, /- acct\n {4}- socket: domain == AF_VSOCK/);
});

test('--pretend sees what comes after a filter that forbids it; --json goes to stderr', { skip }, () => {
  const { status, stdout, stderr } = selkie(['lift', '--pretend', '--json', '--', installer(), 'seccomp', 'uname']);
  assert.equal(stdout, 'seccomp 0\nuname 0\n');
  assert.equal(status, jsonOf(stderr).exact ? 0 : 1);
  assert.match(jsonOf(stderr).policy, /- uname/);
});

test('bad use: 2; a command without filters: 1; its own exit code where it has one', { skip }, () => {
  const file = join(folder, 'none.yaml');
  for (const [words, reason] of [
    [['lift'], /wanted either a filter, or -- and a command/],
    [['lift', 'a.bpf', '--', 'true'], /wanted either a filter, or -- and a command/],
    [['lift', '--', 'true'], /-o FILE must say where the policy goes/],
    [['lift', join(folder, 'absent.bpf')], /no such file/],
  ] as const) {
    const refused = selkie(words);
    assert.equal(refused.status, 2, refused.stderr);
    assert.match(refused.stderr, reason);
  }
  assert.equal(selkie(['lift', '-o', file, '--', 'true']).status, 1);
  const failing = selkie(['lift', '-o', file, '--', 'sh', '-c', 'exit 7']);
  assert.deepEqual([failing.status, existsSync(file)], [7, false]);
  assert.match(failing.stderr, /installed no filter that could be read/);
});

test('--help of compile, prove, diff and lift shows how', () => {
  for (const name of ['compile', 'prove', 'diff', 'lift']) {
    const { status, stdout } = selkie([name, '--help']);
    assert.equal(status, 0);
    assert.ok(stdout.includes(`selkie ${name} `) && stdout.includes('--json'), stdout);
  }
});
