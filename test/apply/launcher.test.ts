import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { before, test } from 'node:test';
import { readLauncher, writeLauncher } from '../../src/apply/launcher.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { type Build, buildProgram, C_BUILDS, cannotBuild } from '../support/builds.ts';
import { temporaryFolder } from '../support/folders.ts';
import {
  ENOENT,
  ENOSYS,
  EPERM,
  HEADER,
  LAUNCHED_POLICIES as POLICIES,
  launchedSays as said,
} from '../support/launched.ts';
import { type Finished, runCommand, selkie } from '../support/selkie.ts';
import { missingTools } from '../support/tools.ts';

const skip = missingTools('gcc', 'setpriv');
const folder = temporaryFolder();

type Name = keyof typeof POLICIES;

function launcher(name: Name, simple = false): string {
  const output = join(folder, `launcher-${name}${simple ? '-simple' : ''}`);
  const policy = parsePolicy(POLICIES[name]);
  const { form } = writeLauncher({ policy, arch: 'x86_64', output, force: true, simple });
  assert.equal(form, simple ? 'simple' : name);
  return output;
}

function program(kind: string): string {
  return buildProgram(C_BUILDS.find((build) => build.name === kind) as Build, 'launched.c', folder).path;
}

const CASES: readonly (readonly [Name, string])[] = [
  ['exec', 'static'],
  ['exec', 'static PIE'],
  ['exec', 'static musl'],
  ['loader', 'static'],
  ['loader', 'static PIE'],
  ['loader', 'dynamic PIE'],
  ['loader', 'dynamic'],
  ['loader', 'dynamic musl'],
];
for (const [name, kind] of CASES) {
  const noBuild = skip || cannotBuild(C_BUILDS.find((build) => build.name === kind) as Build);
  for (const nobody of [false, true])
    test(`${kind}, start permits ${name}${nobody ? ', as nobody' : ''}: nothing of start is in force at its entry, nothing is left behind`, {
      skip: noBuild,
    }, () => {
      const path = program(kind);
      const open = name === 'loader' ? ENOSYS : EPERM;
      const confined = runCommand([launcher(name), path, 'one', 'two'], { nobody, timeout: 20_000 });
      assert.deepEqual(confined, {
        status: 7,
        signal: null,
        stdout: said(ENOSYS, open, `${path} one two`),
        stderr: '',
      });
    });
}

test('--simple: start is in force the whole time', { skip }, () => {
  const path = program('dynamic PIE');
  const result = runCommand([launcher('loader', true), path], { timeout: 20_000 });
  // One descriptor more: the file that could be opened.
  assert.deepEqual(
    [result.status, result.stdout],
    [7, said(ENOENT, 0, path).replace('descriptors 3', 'descriptors 4')],
  );
});

test('the command is looked for in PATH, as execvp does', { skip }, () => {
  const path = program('static');
  const word = basename(path);
  const run = (words: string[], PATH?: string): Finished =>
    runCommand([launcher('exec'), ...words], { env: PATH === undefined ? {} : { PATH }, timeout: 20_000, cwd: folder });
  assert.equal(run([word, 'x'], `/nonexistent:/etc/passwd:${folder}:/bin`).stdout, said(ENOSYS, EPERM, `${word} x`));
  assert.equal(run([word], `/nonexistent:`).stdout, said(ENOSYS, EPERM, word));
  assert.equal(run([word], `${'/x'.repeat(3000)}:${folder}`).stdout, said(ENOSYS, EPERM, word));
  const missing = run([word], '/nonexistent');
  assert.deepEqual([missing.status, missing.stderr], [127, `selkie: cannot run '${word}': errno 2\n`]);
  assert.equal(run([''], folder).status, 127);
  assert.equal(run([word]).status, 127);
  writeFileSync(join(folder, 'plain-file'), 'nothing', { mode: 0o644 });
  const refused = run(['plain-file'], `${folder}:/nonexistent`);
  assert.deepEqual([refused.status, refused.stderr], [126, "selkie: cannot run 'plain-file': errno 13\n"]);
});

/** A launcher that permits all but acct(2), in its form with a follower. */
function permissive(): string {
  const output = join(folder, 'permissive');
  const text = `${HEADER.replace('errno(EPERM)', 'allow')}syscalls:\n  errno(EPERM): [acct]\nstart:\n  allow:\n    - acct: filename == 0\n`;
  const { form } = writeLauncher({ policy: parsePolicy(text), arch: 'x86_64', output, force: true, simple: false });
  assert.equal(form, 'loader');
  return output;
}

test('a script without #! is given to the shell, one with it to its interpreter', { skip }, () => {
  writeFileSync(join(folder, 'script'), 'echo "$0 $*"\n', { mode: 0o755 });
  writeFileSync(join(folder, 'script-sh'), '#!/bin/sh\necho "$0 $*"\n', { mode: 0o755 });
  const output = permissive();
  for (const name of ['script', 'script-sh']) {
    const result = runCommand([output, join(folder, name), 'a', 'b'], { timeout: 20_000 });
    assert.deepEqual([result.stderr, result.stdout], ['', `${join(folder, name)} a b\n`]);
  }
});

test('without a command it says how it is used', { skip }, () => {
  const result = runCommand([launcher('exec')]);
  assert.deepEqual([result.status, result.stderr], [125, 'selkie: usage: LAUNCHER COMMAND [ARGUMENT...]\n']);
});

test('ignored and blocked signals, environment and pid are what it was given', { skip }, () => {
  const show = `grep -E '^Sig(Ign|Blk|Cgt)|^NoNewPrivs' /proc/self/status; echo "$MARKER"`;
  const output = permissive();
  const under = (prefix: string): string =>
    spawnSync('bash', ['-c', `trap '' HUP USR1; exec ${prefix} sh -c '${show.replaceAll("'", `'"'"'`)}'`], {
      encoding: 'utf8',
      env: { ...process.env, MARKER: 'kept' },
    }).stdout;
  assert.equal(under(output), under('setpriv --no-new-privs'));
  const child = spawnSync('bash', ['-c', `exec ${output} sh -c 'echo $$; kill -TERM $$'`], { encoding: 'utf8' });
  assert.deepEqual([child.stdout, child.signal], [`${child.pid}\n`, 'SIGTERM']);
});

/** Every call that the three tasks of a launcher make but execve(2), without which the outer program cannot start it. */
const OWN_CALLS: Readonly<Record<string, number>> = {
  read: 0,
  close: 3,
  poll: 7,
  ioctl: 16,
  pread64: 17,
  pwrite64: 18,
  sched_yield: 24,
  clone: 56,
  wait4: 61,
  prctl: 157,
  exit_group: 231,
  openat: 257,
  pipe2: 293,
  seccomp: 317,
};

let outer = '';
before(() => {
  if (skip === false) outer = buildProgram({ name: 'outer', tool: 'gcc', flags: ['-static'] }, 'outer.c', folder).path;
});

for (const [call, number] of Object.entries(OWN_CALLS))
  for (const how of ['1', '0', '38', 'kill'])
    test(`fails closed: ${call} is answered by ${how}`, { skip }, () => {
      for (const [name, kind] of [
        ['exec', 'static'],
        ['loader', 'static'],
        ['loader', 'dynamic PIE'],
      ] as const) {
        const result = runCommand([outer, how, `${number}`, launcher(name), program(kind)], { timeout: 20_000 });
        const what = `${name}, ${kind}: ${JSON.stringify(result)}`;
        // Confined, or not started, by an exit code of the launcher or ld.so, or by a signal.
        if (result.stdout !== '')
          assert.match(result.stdout, /execve (38|1), seccomp (1|38|0), prctl (1|38), open/, what);
        else assert.ok([125, 126, 127, null].includes(result.status), what);
        assert.notEqual(result.signal, 'SIGTERM', what);
      }
    });

/** Launchers, and followers, that still run. */
function leftOvers(path: string): string[] {
  return readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid))
    .filter((pid) => {
      try {
        return readlinkSync(`/proc/${pid}/exe`).startsWith(path);
      } catch {
        return false;
      }
    });
}

test('killed at any moment, nothing of it stays', { skip, timeout: 120_000 }, async () => {
  const path = launcher('loader');
  for (let round = 0; round < 150; round += 1) {
    const child = spawn(path, [program('dynamic PIE')], { stdio: 'ignore' });
    const gone = new Promise((resolve) => child.once('exit', resolve));
    await new Promise((resolve) => setTimeout(resolve, (round % 15) / 5));
    child.kill('SIGKILL');
    await gone;
  }
  for (let waited = 0; waited < 50 && leftOvers(folder).length > 0; waited += 1)
    await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual(leftOvers(folder), []);
});

test('inspect knows launchers, and says when a byte was changed', { skip }, () => {
  const path = launcher('loader');
  const shown = selkie(['inspect', path]);
  assert.equal(shown.status, 0);
  assert.match(
    shown.stdout,
    /: launcher\n {2}machine +x86-64\n.*intact +true\n {2}start +until the command's entry\n/s,
  );
  assert.equal(selkie(['inspect', path, '--policy']).stdout, readLauncher(readFileSync(path))?.policyText);
  assert.match(selkie(['inspect', launcher('loader', true)]).stdout, /start +the whole time/);
  const bytes = readFileSync(path);
  bytes[1000] = (bytes[1000] ?? 0) ^ 1;
  writeFileSync(`${path}.changed`, bytes);
  assert.match(selkie(['inspect', `${path}.changed`]).stdout, /intact +false\n/);
  assert.match(selkie(['disasm', path]).stdout, /user_notif|notify/i);
});

test('policies that a launcher cannot put in force are refused', { skip }, () => {
  const write = (text: string, ...words: string[]): Finished => {
    const file = join(folder, 'refused.yaml');
    writeFileSync(file, text);
    return selkie(['launcher', '-p', file, '-o', join(folder, 'none'), ...words]);
  };
  const other = write(POLICIES.exec.replace('x86_64', 's390x'));
  assert.equal(other.status, 2);
  assert.match(other.stderr, /this policy is for s390x, the launcher is a program of x86_64: retarget the policy/);
  assert.match(
    write(POLICIES.exec.replace('start:\n  allow: [execve]\n', '')).stderr,
    /add "start: \{allow: \[execve\]\}"/,
  );
  assert.match(
    write(`${POLICIES.exec.replace('allow: [write', 'notify: [acct]\n  allow: [write')}`).stderr,
    /cannot have "notify"/,
  );
  assert.match(write(POLICIES.exec, '--arch', 'pdp11').stderr, /wanted x86_64 or aarch64/);
  launcher('exec');
  assert.match(
    selkie(['launcher', '-p', join(folder, 'refused.yaml'), '-o', join(folder, 'launcher-exec')]).stderr,
    /it exists/,
  );
});
