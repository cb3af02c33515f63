import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { sealWithPolicy } from '../../src/apply/with-policy.ts';
import { inspectElf } from '../../src/elf/seal.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { type Build, buildProgram, C_BUILDS, cannotBuild } from '../support/builds.ts';
import { temporaryFolder } from '../support/folders.ts';
import { checkFailsClosed, failures, LANDLOCK_CALLS, makeTree, pathsFor } from '../support/paths.ts';
import { runCommand, selkie } from '../support/selkie.ts';
import { missingTools } from '../support/tools.ts';

const skip = missingTools('gcc', 'setpriv');
const folder = temporaryFolder();
const POLICY = 'selkie: 1\nsets: 1\narches: [x86_64]\ndefault: allow\nsyscalls:\n  errno(EPERM): [acct]\n';
let outer = '';
let count = 0;

before(() => {
  if (skip === false) outer = buildProgram({ name: 'outer', tool: 'gcc', flags: ['-static'] }, 'outer.c', folder).path;
});

function build(kind: string, source = 'files.c'): string {
  return buildProgram(C_BUILDS.find(({ name }) => name === kind) as Build, source, folder).path;
}

function sealed(binary: string, paths: string): string {
  count += 1;
  const output = join(folder, `sealed-${count}`);
  sealWithPolicy({ binary, policy: parsePolicy(POLICY + paths), output });
  return output;
}

for (const { name: kind, ...rest } of C_BUILDS.filter(({ name }) => !/stripped|build id/.test(name)))
  for (const nobody of [false, true])
    test(`${kind}, sealed, as ${nobody ? 'nobody' : 'root'}: what paths does not give is refused`, {
      skip: skip || cannotBuild({ name: kind, ...rest }),
    }, () => {
      const tree = makeTree(folder, build('static'));
      // No list names libraries, ld.so or the program itself: they are loaded by then.
      assert.deepEqual(failures({ command: [sealed(build(kind), pathsFor(tree))], tree, nobody }), []);
    });

for (const call of Object.keys(LANDLOCK_CALLS) as (keyof typeof LANDLOCK_CALLS)[])
  test(`fails closed: an outer filter answers ${call}`, { skip }, () => {
    for (const kind of ['static', 'static PIE']) {
      const tree = makeTree(folder, build('static'));
      checkFailsClosed(outer, call, [sealed(build(kind), pathsFor(tree))], tree);
    }
  });

test('what fails is named, and nothing is started', { skip }, () => {
  const said = (command: readonly string[]): string => {
    const { stdout, stderr, status } = runCommand(command, { timeout: 20_000 });
    assert.deepEqual([stdout, status], ['', 125]);
    return stderr.replace('selkie: cannot confine this program: ', '').trimEnd();
  };
  const good = sealed(build('static'), 'paths: {read: [/usr]}\n');
  const answered = (how: string, call: keyof typeof LANDLOCK_CALLS): string =>
    said([outer, how, `${LANDLOCK_CALLS[call]}`, good, 'stat', '/']);
  const long = `/nowhere${'/directory'.repeat(400)}`;
  for (const kind of ['static', 'dynamic PIE'])
    assert.equal(said([sealed(build(kind), `paths: {read: [${long}]}\n`)]), `paths: ${long} (errno 2)`);
  assert.equal(answered('38', 'create_ruleset'), 'Landlock failed (errno 38)');
  assert.equal(answered('0', 'create_ruleset'), 'the Landlock ABI that paths: needs failed (errno 95)');
  assert.equal(answered('1', 'restrict_self'), 'Landlock failed (errno 1)');
  assert.equal(answered('0', 'restrict_self'), 'the proof of Landlock failed (result 0)');
  assert.equal(answered('0', 'openat'), 'the proof of openat failed (result 0)');
  assert.equal(answered('22', 'add_rule'), 'paths: /usr (errno 22)');
});

/** A program whose library has started a thread before its entry. */
function threaded(): string {
  const library = { name: 'library', tool: 'gcc', flags: ['-shared', '-fPIC', '-Dmain=threads_main', '-pthread'] };
  const { path: object } = buildProgram(library, 'threads.c', folder);
  const source = join(folder, 'main.c');
  writeFileSync(source, 'int threads_main(void);\nint main(void) { return threads_main(); }\n');
  const binary = join(folder, 'threaded');
  execFileSync('gcc', ['-o', binary, source, object]);
  return binary;
}

test('where a library has started a thread the program is not started', { skip }, () => {
  const result = runCommand([sealed(threaded(), 'paths: {read: [/usr]}\n')], { timeout: 20_000 });
  assert.deepEqual([result.stdout, result.status], ['', 125]);
  assert.match(result.stderr, /paths: reach one thread alone: the count of threads by \/proc failed \(result 2\)\n$/);
});

test('without the count of threads no dynamic program is started, and static ones need it not', { skip }, () => {
  const NEWFSTATAT = '262';
  for (const how of ['0', '2', '38', 'listener']) {
    const run = (kind: string): ReturnType<typeof runCommand> =>
      runCommand([outer, how, NEWFSTATAT, sealed(build(kind), 'paths: {read: [/usr]}\n'), 'stat', '/'], {
        timeout: 20_000,
      });
    assert.deepEqual([run('static').stdout, run('static').status], ['0\n', 7]);
    const dynamic = run('dynamic musl');
    assert.deepEqual([dynamic.stdout, dynamic.status], ['', 125], `${how}: ${dynamic.stderr}`);
  }
});

test('inspect shows the paths that the code holds, and unseal gives the original back', { skip }, () => {
  for (const kind of ['static', 'dynamic PIE']) {
    const binary = build(kind);
    const output = sealed(binary, 'paths: {read: [/usr], write: [/tmp: optional]}\n');
    const shown = selkie(['inspect', output]);
    assert.match(shown.stdout, /intact +true\n/);
    assert.match(
      shown.stdout,
      /\n {2}paths: +Landlock ABI 3 or newer\n {4}read +\/usr\n {4}write +\/tmp \(optional\)\n/,
    );
    const bytes = readFileSync(output);
    assert.deepEqual(JSON.parse(selkie(['inspect', output, '--json']).stdout).paths.rules.length, 2);
    assert.equal(inspectElf(bytes)?.intact, true);
    const original = join(folder, 'original');
    assert.equal(selkie(['unseal', output, '-o', original, '--force']).status, 0);
    assert.deepEqual(readFileSync(original), readFileSync(binary));
  }
});
