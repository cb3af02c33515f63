import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { writeLauncher } from '../../src/apply/launcher.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { type Build, buildProgram, C_BUILDS, cannotBuild } from '../support/builds.ts';
import { temporaryFolder } from '../support/folders.ts';
import { checkFailsClosed, failures, LANDLOCK_CALLS, LIBRARIES, makeTree, pathsFor } from '../support/paths.ts';
import { runCommand, selkie } from '../support/selkie.ts';
import { missingTools } from '../support/tools.ts';

const skip = missingTools('gcc', 'setpriv');
const folder = temporaryFolder();
const HEAD = 'selkie: 1\nsets: 1\narches: [x86_64]\n';

/** A launcher of each form that permits all calls that the trials make. */
const FORMS = {
  simple: `${HEAD}default: allow\nsyscalls:\n  errno(EPERM): [acct]\n`,
  exec: `${HEAD}default: errno(EPERM)\nsyscalls:\n  allow: [syscall(0..58), syscall(60..321), syscall(323..462)]\nstart:\n  allow: [execve]\n`,
  loader: `${HEAD}default: allow\nsyscalls:\n  errno(EPERM): [acct]\nstart:\n  allow:\n    - acct: filename == 0\n`,
};
type Form = keyof typeof FORMS;

let outer = '';
let builds = 0;

function build(kind: string): string {
  return buildProgram(C_BUILDS.find(({ name }) => name === kind) as Build, 'files.c', folder).path;
}

function launcherOf(form: Form, paths: string): string {
  builds += 1;
  const output = join(folder, `launcher-${builds}`);
  writeLauncher({
    policy: parsePolicy(FORMS[form] + paths),
    arch: 'x86_64',
    output,
    force: false,
    simple: form === 'simple',
  });
  return output;
}

before(() => {
  if (skip === false) outer = buildProgram({ name: 'outer', tool: 'gcc', flags: ['-static'] }, 'outer.c', folder).path;
});

for (const nobody of [false, true]) {
  const user = nobody ? 'nobody' : 'root';
  test(`without paths every trial succeeds, as ${user}`, { skip }, () => {
    const tree = makeTree(folder, build('static'));
    assert.deepEqual(failures({ command: [build('static')], tree, nobody, isFree: true }), []);
  });
  for (const form of ['simple', 'exec', 'loader'] as const)
    for (const kind of ['static', 'static PIE', 'dynamic PIE', 'dynamic musl']) {
      const noBuild = skip || cannotBuild(C_BUILDS.find(({ name }) => name === kind) as Build);
      if (form === 'exec' && kind.startsWith('dynamic')) continue;
      test(`${form} launcher, ${kind}, as ${user}: what paths does not give is refused`, { skip: noBuild }, () => {
        const program = build(kind);
        const tree = makeTree(folder, build('static'));
        const more = kind.startsWith('dynamic')
          ? { ...LIBRARIES, execute: [...LIBRARIES.execute, program] }
          : { execute: [program] };
        const command = [launcherOf(form, pathsFor(tree, more)), program];
        assert.deepEqual(failures({ command, tree, nobody, ...(form === 'exec' && { execs: false }) }), []);
      });
    }
}

for (const call of Object.keys(LANDLOCK_CALLS) as (keyof typeof LANDLOCK_CALLS)[])
  test(`fails closed: an outer filter answers ${call}`, { skip }, () => {
    const program = build('static');
    const tree = makeTree(folder, program);
    for (const form of ['simple', 'loader'] as const)
      checkFailsClosed(outer, call, [launcherOf(form, pathsFor(tree, { execute: [program] })), program], tree);
  });

test('what fails is named, and nothing is started', { skip }, () => {
  const program = build('static');
  const said = (command: readonly string[]): string => {
    const { stdout, stderr, status } = runCommand(command, { timeout: 20_000 });
    assert.deepEqual([stdout, status], ['', 125]);
    return stderr.replace('selkie: cannot confine: ', '').trimEnd();
  };
  const good = launcherOf('simple', `paths: {execute: [${program}]}\n`);
  const answered = (how: string, call: keyof typeof LANDLOCK_CALLS): string =>
    said([outer, how, `${LANDLOCK_CALLS[call]}`, good, program, 'stat', '/']);
  const missing = launcherOf('loader', `paths: {read: [/nowhere/at/all], execute: [${program}]}\n`);
  assert.equal(said([missing, program]), "paths: '/nowhere/at/all': errno 2");
  assert.equal(answered('38', 'create_ruleset'), 'Landlock failed: errno 38');
  assert.equal(answered('0', 'create_ruleset'), "the kernel's Landlock is older than paths: needs: errno 95");
  assert.equal(answered('1', 'restrict_self'), 'Landlock failed: errno 1');
  assert.equal(answered('0', 'restrict_self'), 'the proof of Landlock failed: errno 0');
  assert.equal(answered('0', 'openat'), 'the proof of openat failed: errno 0');
  assert.equal(answered('22', 'add_rule'), `paths: '${program}': errno 22`);
  assert.equal(answered('9', 'fstat'), `paths: '${program}': errno 9`);
});

test('pipes and sockets have no place that a rule could be for', { skip }, () => {
  const launcher = launcherOf('simple', 'paths: {read: [/proc/self/fd/1]}\n');
  assert.match(runCommand([launcher, '/bin/true']).stderr, /paths: '\/proc\/self\/fd\/1': errno 77/);
});

test('a bind mount has the rights of both of its places, and mounting is refused', {
  skip: skip || missingTools('unshare'),
}, () => {
  const program = build('static');
  const tree = makeTree(folder, program);
  mkdirSync(join(tree, 'readable/mount'));
  mkdirSync(join(tree, 'other/mount'));
  const launcher = launcherOf('simple', pathsFor(tree, { execute: [program] }));
  const words = [
    ...['read', `${tree}/readable/mount/file`, 'read', `${tree}/other/mount/file`],
    ...['write', `${tree}/readable/mount/file`, 'read', `${tree}/other/file`, 'mount', `${tree}/writable/sub`],
  ];
  const script = `mount --bind ${tree}/other ${tree}/readable/mount && mount --bind ${tree}/readable ${tree}/other/mount && exec "$@"`;
  const result = runCommand(['unshare', '--mount', 'sh', '-c', script, 'sh', launcher, program, ...words]);
  assert.deepEqual([result.stderr, result.stdout], ['', '0 0 13 13 1\n']);
});

test('all of / may be permitted', { skip }, () => {
  const launcher = launcherOf('simple', 'paths: {read: [/], execute: [/]}\n');
  const result = runCommand([launcher, build('dynamic PIE'), 'read', '/etc/passwd', 'list', '/', 'write', '/dev/null']);
  assert.equal(result.stdout, '0 0 13\n');
});

test('inspect shows the paths that a launcher holds', { skip }, () => {
  const paths = 'paths: {read: [/usr, "/lib64": optional], write: [/usr, /tmp]}\n';
  const launcher = launcherOf('loader', paths);
  const shown = selkie(['inspect', launcher]);
  assert.match(shown.stdout, /intact +true\n/);
  assert.match(
    shown.stdout,
    /\n {2}paths: +Landlock ABI 3 or newer\n {4}read, write +\/usr\n {4}read +\/lib64 \(optional\)\n {4}write +\/tmp\n/,
  );
  const json = JSON.parse(selkie(['inspect', launcher, '--json']).stdout);
  assert.deepEqual(json.paths, {
    abi: 3,
    rules: [
      { path: '/usr', lists: ['read', 'write'], optional: false },
      { path: '/lib64', lists: ['read'], optional: true },
      { path: '/tmp', lists: ['write'], optional: false },
    ],
  });
});
