import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import type { Program } from '../../src/bpf/instruction.ts';
import { OwnFilters } from '../../src/explain/own-filters.ts';
import { buildProgram } from '../support/builds.ts';
import { scratchFolder, temporaryFolder } from '../support/folders.ts';
import { GO_TOOLS } from '../support/go.ts';
import { type Finished, runCommand, SELKIE, selkie } from '../support/selkie.ts';
import { cannotCompile, missingTools } from '../support/tools.ts';

const folder = temporaryFolder();
chmodSync(folder, 0o777);
const skip = missingTools('gcc', 'setpriv');

const installer = (...flags: readonly string[]): string =>
  buildProgram(
    { name: `installer ${flags.join(' ')}`, tool: 'gcc', flags: [...flags, '-pthread'] },
    'installer.c',
    folder,
  ).path;

interface Explanation {
  readonly event: string;
  readonly call: string;
  readonly answer: string;
  readonly count: number;
  readonly filter: string;
  readonly thread: string;
}

const explain = (command: readonly string[], { nobody = false, before = [] as readonly string[] } = {}): Finished =>
  selkie(['explain', '--json', ...before, ...command], { nobody, timeout: 30_000 });

/** [answer, count, whose filter] of each kind. */
function totals({ stderr }: Finished): readonly (readonly unknown[])[] {
  const lines = stderr.split('\n').filter((line) => line.startsWith('{'));
  const all = lines.map((line) => JSON.parse(line) as Explanation).filter(({ event }) => event === 'total');
  return all.map(({ call, answer, count, filter }) => [call.replace(/\(.*/, ''), answer, count, filter]);
}

/** What to do, and what is to be explained of it. */
const CASES: readonly (readonly [words: string, ...denied: (readonly [answer: string, count: number])[]])[] = [
  ['seccomp uname mode', ['EDOM', 1]],
  ['prctl uname strict-uname uname', ['EDOM', 1], ['EXDEV', 1]],
  ['tsync uname', ['EDOM', 1]],
  ['flags bad short null unreadable uname'],
  ['int80 uname', ['EDOM', 1]],
  ['kill', ['kill_process', 1]],
  ['trap', ['trap(77)', 1]],
  ['trap-caught uname', ['trap(77)', 2]],
  ['thread-kill', ['kill_thread', 1]],
  ['thread-dies uname', ['kill_thread', 1]],
  ['thread-before seccomp go uname', ['EDOM', 1]],
  ['thread-before tsync go uname', ['EDOM', 1], ['EDOM', 1]],
  ['seccomp thread-after', ['EDOM', 1]],
  ['seccomp fork exec', ['EDOM', 2]],
  ['diverge uname tsync', ['EXDEV', 1]],
];

for (const nobody of [false, true])
  for (const [words, ...denied] of CASES)
    test(`as the kernel does it, and explained${nobody ? ', as uid 65534' : ''}: ${words}`, { skip }, () => {
      const command = [installer(), ...words.split(' ')];
      const native = runCommand(['setpriv', '--no-new-privs', ...command]);
      const explained = explain(command, { nobody });
      assert.equal(explained.stdout, native.stdout);
      assert.equal(explained.status, native.signal === null ? native.status : 128 + 31, explained.stderr);
      const expected = denied.map(([answer, count]) => ['uname', answer, count, 'own']);
      assert.deepEqual([...totals(explained)].sort(), expected.sort());
    });

test('a 32-bit program', { skip: skip || cannotCompile('-m32') }, () => {
  const command = [installer('-m32'), 'prctl', 'uname', 'trap-caught', 'fork'];
  const native = runCommand(['setpriv', '--no-new-privs', ...command]);
  const explained = explain(command);
  assert.equal(explained.stdout, native.stdout);
  assert.deepEqual(totals(explained), [
    ['uname', 'EDOM', 1, 'own'],
    ['uname', 'trap(77)', 2, 'own'],
  ]);
});

test('children have the filters of the thread that made them, when it made them, or it is said that this is not sure', {
  skip,
}, () => {
  const build = { name: 'forking', tool: 'gcc', flags: ['-pthread'] };
  const command = [buildProgram(build, 'forking.c', folder).path];
  assert.equal(runCommand(command).stdout, 'wrong 0\n');
  for (let run = 0; run < 3; run += 1) {
    const { stdout, stderr } = explain(command);
    // On a machine with other work, threads that clone at the same moment cannot always be told apart.
    assert.match(stdout, /^wrong \d+\n$/);
    assert.match(stderr, /"event":"filters","installed":44,"approximate":(?:true|false)/);
    assert.ok(stdout === 'wrong 0\n' || stderr.includes('"approximate":true'), `${stdout}${stderr}`);
  }
});

test('a filter with a listener gets EBUSY, as below any other listener', { skip }, () => {
  assert.equal(explain([installer(), 'listener', 'uname', 'mode']).stdout, 'listener -16\nuname 0\nmode 0\n');
});

test('where the caller cannot be traced, a trap that is caught is the death of the process', { skip }, () => {
  const policy = join(folder, 'no-ptrace.yaml');
  writeFileSync(policy, 'selkie: 1\nsets: 1\ndefault: allow\nsyscalls:\n  errno(EPERM):\n    - ptrace\n');
  const words = ['run', '-p', policy, process.execPath, SELKIE, 'explain', '--json', installer(), 'trap-caught'];
  const explained = selkie(words);
  assert.equal(explained.status, 128 + 31, explained.stderr);
  assert.deepEqual(totals(explained), [['uname', 'trap(77)', 1, 'own']]);
});

const POLICY = `selkie: 1
sets: 1
arches: [x86_64]
default: allow
syscalls:
  errno(EACCES):
    - getppid
    - uname
`;

test('beside a policy the most restrictive answer wins, of equal ones the newest; each is named', { skip }, () => {
  const policy = join(folder, 'beside.yaml');
  writeFileSync(policy, POLICY);
  const before = ['-p', policy, '--own-filters'];
  const explained = explain([installer(), 'uname', 'seccomp', 'uname', 'kill'], { before });
  assert.equal(explained.stdout, 'uname -13\nseccomp 0\nuname -33\n');
  assert.deepEqual(totals(explained), [
    ['uname', 'EACCES', 1, 'policy'],
    ['uname', 'EDOM', 1, 'own'],
    ['uname', 'kill_process', 1, 'own'],
  ]);
  // Without it the filter is real, and says nothing.
  const plain = explain([installer(), 'uname', 'seccomp', 'uname'], { before: ['-p', policy] });
  assert.equal(plain.stdout, 'uname -13\nseccomp 0\nuname -33\n');
  assert.deepEqual(totals(plain), [['uname', 'EACCES', 1, 'policy']]);
});

test('a sealed program, with and without a policy beside it', { skip }, () => {
  const [policy, sealed] = [join(folder, 'sealed.yaml'), join(folder, 'sealed')];
  writeFileSync(policy, POLICY.replace('EACCES', 'EDOM'));
  assert.equal(selkie(['seal', '-q', '-p', policy, installer(), '-o', sealed]).status, 0);
  const alone = explain([sealed, 'uname', 'mode']);
  assert.equal(alone.stdout, 'uname -33\nmode 2\n');
  assert.deepEqual(totals(alone), [['uname', 'EDOM', 1, 'own']]);
  assert.match(alone.stderr, /^\{"event":"filters","installed":1,"approximate":false\}$/m);
  const other = join(folder, 'other.yaml');
  writeFileSync(other, POLICY.replace('    - uname\n', ''));
  const both = explain([sealed, 'uname'], { before: ['-p', other] });
  assert.equal(both.stdout, 'uname -33\n');
  assert.deepEqual(totals(both), [['uname', 'EDOM', 1, 'own']]);
  const line = selkie(['explain', sealed, 'uname']).stderr;
  assert.match(line, /to permit it: allow uname in the filter that the program brings$/m);
  assert.match(line, /^selkie: kinds of denied calls: 1; filters that programs brought: 1$/m);
});

test('libseccomp, and bubblewrap --seccomp', { skip: skip || missingTools('python3', 'bwrap') }, (context) => {
  const bpf = join(folder, 'f.bpf');
  const python = `import seccomp, errno, os
f = seccomp.SyscallFilter(seccomp.ALLOW)
f.add_rule(seccomp.ERRNO(errno.EDOM), "uname")
f.export_bpf(open(${JSON.stringify(bpf)}, "wb"))
f.load()
try: os.uname()
except OSError as error: print(error.errno)
`;
  if (runCommand(['/usr/bin/python3', '-c', 'import seccomp']).status !== 0) {
    context.skip('missing here: python3-seccomp');
    return;
  }
  const explained = explain(['/usr/bin/python3', '-c', python]);
  assert.equal(explained.stdout, '33\n');
  assert.deepEqual(totals(explained), [['uname', 'EDOM', 1, 'own']]);
  const wrapped = explain([
    'sh',
    '-c',
    `bwrap --unshare-pid --dev-bind / / --seccomp 9 ${installer()} uname fork 9<${bpf}`,
  ]);
  assert.equal(wrapped.stdout, 'uname -33\nchild -33\nfork 0\n');
  assert.deepEqual(totals(wrapped), [['uname', 'EDOM', 2, 'own']]);
});

test('Node that confines itself: all its threads believe in their filter', () => {
  const app = join(folder, 'app.mjs');
  const library = new URL('../../src/confine.js', import.meta.url);
  writeFileSync(
    app,
    `import { confine } from '${library}';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
confine({ allow: ['@stdio', '@files'] });
console.log(spawnSync('true').error.code, /^Seccomp_filters:.*/m.exec(readFileSync('/proc/self/status', 'utf8'))[0]);`,
  );
  const native = runCommand([process.execPath, app]);
  const explained = explain([process.execPath, app]);
  assert.equal(explained.status, 0, explained.stderr);
  const [error, , count] = explained.stdout.trim().split(/\s+/);
  const [nativeError, , nativeCount] = native.stdout.trim().split(/\s+/);
  // One more: the filter that notifies.
  assert.deepEqual([error, Number(count)], [nativeError, Number(nativeCount) + 1]);
  assert.ok(
    totals(explained).some(
      ([call, answer, , filter]) => call === 'socketpair' && answer === 'EPERM' && filter === 'own',
    ),
  );
});

for (const { label, go, here } of GO_TOOLS)
  test(`a Go program with the source that convert writes: ${label}`, {
    skip: !here && `missing here: ${label}`,
  }, (context) => {
    const place = scratchFolder(context);
    const policy = join(place, 'p.yaml');
    writeFileSync(policy, POLICY.replace('EACCES', 'EDOM').replace('uname', 'mkdirat'));
    const source = `package main
import ("fmt"; "os")
func main() { ConfineSelkie(); fmt.Println(os.Mkdir("made", 0o755)) }`;
    writeFileSync(join(place, 'main.go'), source);
    writeFileSync(join(place, 'go.mod'), 'module confined\n\ngo 1.19\n');
    assert.equal(selkie(['convert', policy, '--to', 'go', '-o', place]).status, 0);
    const env = { ...process.env, CGO_ENABLED: '0', GOTOOLCHAIN: 'local', GOFLAGS: '' };
    const built = runCommand([go, 'build', '-o', 'confined', '.'], { cwd: place, env });
    assert.equal(built.status, 0, built.stderr);
    const explained = selkie(['explain', '--json', './confined'], { cwd: place });
    assert.match(explained.stdout, /numerical argument out of domain/);
    assert.deepEqual(
      totals(explained).filter(([call]) => call === 'mkdirat'),
      [['mkdirat', 'EDOM', 1, 'own']],
    );
  });

const returning = (length: number): Program =>
  Array.from({ length }, () => ({ code: 6, jt: 0, jf: 0, k: 0x7fff_0000 }));

test('a child that may have several sets of filters is given the most, and that is said', async (context) => {
  const filters = new OwnFilters(returning(1));
  const child = () => {
    const process = spawn('sleep', ['60']);
    context.after(() => process.kill());
    return process.pid as number;
  };
  filters.beforeClone(process.pid, false);
  assert.equal(filters.programsOf(child()).length, 1);
  filters.beforeClone(process.pid, false);
  assert.equal(filters.install(process.pid, returning(2), 0), 0);
  assert.equal(filters.isApproximate, false);
  filters.beforeClone(process.pid, false);
  assert.equal(filters.programsOf(child()).length, 2);
  assert.equal(filters.isApproximate, true);
});

test('a child that nobody was seen to make has not fewer filters than its parent', (context) => {
  const filters = new OwnFilters(returning(1));
  assert.equal(filters.install(process.pid, returning(2), 0), 0);
  const child = spawn('sleep', ['60']);
  context.after(() => child.kill());
  assert.equal(filters.programsOf(child.pid as number).length, 2);
  assert.equal(filters.isApproximate, true);
});

test('more instructions than the kernel keeps for a thread are ENOMEM', () => {
  const ENOMEM = 12;
  const filters = new OwnFilters(returning(1));
  const answers = Array.from({ length: 8 }, () => filters.install(process.pid, returning(4096), 0));
  assert.deepEqual(answers, [0, 0, 0, 0, 0, 0, 0, -ENOMEM]);
});
