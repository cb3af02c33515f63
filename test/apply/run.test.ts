import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Build, buildProgram, C_BUILDS, cannotBuild, GO_BUILDS } from '../support/builds.ts';
import { temporaryFolder } from '../support/folders.ts';
import { ENOENT, ENOSYS, EPERM, HEADER, LAUNCHED_POLICIES, launchedSays } from '../support/launched.ts';
import { type Finished, type RunOptions, runCommand, SELKIE, selkie } from '../support/selkie.ts';
import { missingTools } from '../support/tools.ts';

const skip = missingTools('gcc', 'setpriv');
const folder = temporaryFolder();

function policy(name: string, text: string): string {
  const file = join(folder, `${name}.yaml`);
  writeFileSync(file, text);
  return file;
}
const LOADER = policy('loader', LAUNCHED_POLICIES.loader);
/** All is permitted but some calls, of which start: permits some. */
const MOST = policy(
  'most',
  'selkie: 1\nsets: 1\narches: [x86_64]\ndefault: allow\nsyscalls:\n  errno(EPERM): [acct, mkdir]\nstart:\n  allow:\n    - acct: arg0 == 0\n',
);
const NO_EXEC = policy(
  'no-exec',
  'selkie: 1\nsets: 1\narches: [x86_64]\ndefault: allow\nsyscalls:\n  errno(EPERM): [execve, acct]\nstart:\n  allow:\n    - execve: arg0 != 0\n    - execve: arg0 == 0\n    - acct: arg0 == 0\n',
);

/** The ways in which start: ends: by their option. */
const WAYS: readonly (readonly string[])[] = [[], ['--inject']];
const wayName = (way: readonly string[]): string => way[0] ?? 'by notification';

function run(way: readonly string[], file: string, command: readonly string[], options: RunOptions = {}): Finished {
  return selkie(['run', ...way, '-p', file, '--', ...command], { timeout: 30_000, ...options });
}

function program(kind: string): string {
  return buildProgram(C_BUILDS.find(({ name }) => name === kind) as Build, 'launched.c', folder).path;
}

const KINDS = ['static', 'static PIE', 'dynamic PIE', 'dynamic', 'static musl', 'dynamic musl'];
for (const kind of KINDS)
  for (const nobody of [false, true]) {
    const noBuild = skip || cannotBuild(C_BUILDS.find(({ name }) => name === kind) as Build);
    const title = `${kind}${nobody ? ', as nobody' : ''}: execve, seccomp, prctl and what start: permits are out of force at the entry`;
    test(`${title}, by notification`, { skip: noBuild }, () => {
      const result = run([], LOADER, [program(kind), 'one', 'two'], { nobody });
      const stdout = launchedSays(ENOSYS, ENOSYS, `${program(kind)} one two`);
      assert.deepEqual(result, { status: 7, signal: null, stdout, stderr: '' });
    });
    test(`${title}, by injection: answered as the policy says`, { skip: noBuild }, () => {
      const result = run(['--inject'], LOADER, [program(kind), 'one', 'two'], { nobody });
      const stdout = launchedSays(EPERM, EPERM, `${program(kind)} one two`);
      assert.deepEqual(result, { status: 7, signal: null, stdout, stderr: '' });
    });
    test(`${title}, sealed`, { skip: noBuild }, () => {
      const sealed = join(folder, 'sealed');
      assert.equal(selkie(['seal', '-q', '--force', '-p', LOADER, program(kind), '-o', sealed]).status, 0);
      const { stdout } = runCommand([sealed, 'one'], { nobody });
      assert.equal(stdout, launchedSays(EPERM, EPERM, `${sealed} one`));
    });
  }

test('--simple: start: is in force the whole time', { skip }, () => {
  const { status, stdout } = run(['--simple'], LOADER, [program('dynamic PIE')]);
  // One descriptor more: the file that could be opened.
  const says = launchedSays(ENOENT, 0, program('dynamic PIE')).replace('descriptors 3', 'descriptors 4');
  assert.deepEqual([status, stdout], [7, says]);
  assert.equal(run(['--simple', '--inject'], LOADER, ['true']).status, 125);
});

test('Go programs start and end, by each way', { skip: skip || missingTools('go') }, () => {
  for (const build of GO_BUILDS.slice(0, 2))
    for (const way of WAYS) {
      const { status, stderr } = run(way, NO_EXEC, [buildProgram(build, 'uname.go', folder).path]);
      assert.deepEqual([status, stderr], [7, '']);
    }
});

const STATE = `grep -E "Sig(Ign|Blk|Cgt)" /proc/self/status; for f in $(ls /proc/self/fd); do echo $f $(readlink /proc/$$/fd/$f); done |
  grep -v /proc | sed 's/[0-9]\\{4,\\}//g'; for i in 0 1 2 7; do grep flags /proc/self/fdinfo/$i; done; echo "$MARKER"; grep TracerPid /proc/$$/status`;

for (const way of WAYS) {
  const name = wayName(way);

  test(`${name}: output, exit code and pid are the command's own`, () => {
    const made = run(way, MOST, ['sh', '-c', `echo out; mkdir ${folder}/no; exit 9`]);
    assert.equal(made.stdout, 'out\n');
    assert.match(made.stderr, /Operation not permitted/);
    assert.equal(made.status, 9);
    assert.equal(run(way, MOST, ['sh', '-c', 'kill -TERM $$']).signal, 'SIGTERM');
    const child = spawnSync(process.execPath, [SELKIE, 'run', ...way, '-p', MOST, 'sh', '-c', 'echo $$'], {
      encoding: 'utf8',
    });
    assert.equal(child.stdout, `${child.pid}\n`);
  });

  test(`${name}: signals, descriptors and their flags are those that env(1) gives, and nobody traces`, () => {
    const state = join(folder, 'state.sh');
    writeFileSync(state, STATE);
    const under = (prefix: string) =>
      spawnSync('sh', ['-c', `echo | ${prefix} sh ${state} 7</dev/null 9<${state} | cat`], {
        encoding: 'utf8',
        env: { ...process.env, MARKER: 'kept' },
      }).stdout;
    const expected = under('env');
    assert.match(expected, /^7 \/dev\/null$/m);
    assert.match(expected, /^9 /m);
    assert.equal(under(`${process.execPath} ${SELKIE} run ${way.join(' ')} -p ${MOST}`), expected);
  });

  test(`${name}: a missing command is 127, a file that is no program 126, a script without #! runs in sh`, () => {
    assert.equal(run(way, MOST, ['no-such-command']).status, 127);
    assert.equal(run(way, MOST, [folder]).status, 126);
    const file = join(folder, 'script');
    writeFileSync(file, 'echo "script $1"\n', { mode: 0o755 });
    assert.equal(run(way, MOST, [file, 'word']).stdout, 'script word\n');
  });

  test(`${name}: scripts are confined as their interpreter is, static or dynamic`, { skip }, () => {
    for (const kind of ['static', 'dynamic PIE']) {
      const file = join(folder, 'interpreted');
      writeFileSync(file, `#!${program(kind)} word\n`, { mode: 0o755 });
      const errno = way.length === 0 ? ENOSYS : EPERM;
      const { stdout } = run(way, LOADER, [file, 'more']);
      assert.equal(stdout, launchedSays(errno, errno, `${program(kind)} word ${file} more`));
    }
  });

  test(`${name}: a script for env(1) needs execve in syscalls:, and is refused in one line without`, () => {
    const file = join(folder, 'env-script');
    writeFileSync(file, '#!/usr/bin/env sh\necho "$1"\n', { mode: 0o755 });
    const refused = run(way, NO_EXEC, [file, 'word']);
    assert.deepEqual([refused.status, refused.stdout], [125, '']);
    assert.match(refused.stderr, /^selkie run: .*\/usr\/bin\/env execute sh, .*add execve to syscalls:.*\n$/);
    assert.equal(run(way, MOST, [file, 'word']).stdout, 'word\n');
    assert.equal(run(['--simple'], NO_EXEC, [file, 'word']).stdout, 'word\n');
  });

  test(`${name}: a program that executes others needs execve in syscalls:`, () => {
    const errno = way.length === 0 ? /Function not implemented/ : /Operation not permitted/;
    const refused = run(way, NO_EXEC, ['sh', '-c', '/bin/true; echo $?'], { env: { ...process.env, LC_ALL: 'C' } });
    assert.equal(refused.stdout, '126\n');
    assert.match(refused.stderr, errno);
    assert.equal(run(way, MOST, ['sh', '-c', '/bin/true; echo $?']).stdout, '0\n');
  });

  test(`${name}: setuid, setgid and capable programs are refused, with the reason`, { skip }, () => {
    const nobody = true;
    for (const [mode, word] of [
      [0o4755, 'setuid of uid 0'],
      [0o2755, 'setgid of gid 0'],
    ] as const) {
      const file = join(folder, `mode-${mode}`);
      copyFileSync(program('static'), file);
      chmodSync(file, mode);
      const refused = run(way, LOADER, [file], { nobody });
      assert.deepEqual([refused.status, refused.stdout], [125, '']);
      assert.match(refused.stderr, new RegExp(`it is ${word}, which no process with a filter gets`));
      if (process.getuid?.() === 0) assert.equal(run(way, LOADER, [file]).status, 7);
    }
  });

  test(`${name}: under another listener, the command runs all the same`, { skip }, () => {
    const outer = ['record', '-q', '--force', '-o', join(folder, 'outer.yaml'), '--'];
    for (const kind of ['static', 'dynamic PIE']) {
      const command = [process.execPath, SELKIE, 'run', ...way, '-p', LOADER, program(kind)];
      const { status, stdout, stderr } = selkie([...outer, ...command], { timeout: 60_000 });
      assert.deepEqual([status, stdout], [7, launchedSays(EPERM, EPERM, program(kind))], stderr);
      assert.equal(/ended by ptrace at the entry, .* refused: errno 16\n/.test(stderr), way.length === 0, stderr);
    }
  });
}

test('policies that cannot be put in force are refused', () => {
  const refused = (text: string): string => {
    const { status, stderr } = run([], policy('refused', text), ['true']);
    assert.equal(status, 125);
    return stderr;
  };
  assert.match(
    refused(LAUNCHED_POLICIES.exec.replace('x86_64', 'aarch64')),
    /this policy is for aarch64.* add x86_64 to arches/,
  );
  assert.match(refused(`${HEADER}syscalls:\n  allow: [write]\n`), /needs execve.*add "start: \{allow: \[execve\]\}"/);
  assert.match(
    refused(`${LAUNCHED_POLICIES.exec.replace('allow:', 'notify: [acct]\n  allow:')}`),
    /cannot have "notify"/,
  );
});
