import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { sealElf } from '../../src/elf/seal.ts';
import { type Build, buildProgram, C_BUILDS } from '../support/builds.ts';
import { denying, encode, NR } from '../support/filters.ts';
import { temporaryFolder } from '../support/folders.ts';
import { missingTools } from '../support/tools.ts';

const skip = missingTools('gcc', 'setpriv');
const folder = temporaryFolder();
const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();
const KINDS = ['static', 'dynamic PIE', 'static PIE'];
const USERS: readonly (readonly [string, readonly string[]])[] = [
  ['root', []],
  ['nobody', ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--']],
];
let outer = '';

/** A sealed program that writes where it starts and where its main runs: both must stay silent. */
function sealed(kind: string, program: Uint8Array): string {
  const build = C_BUILDS.find((entry) => entry.name === kind) as Build;
  const { bytes } = buildProgram(build, 'uname.c', folder);
  const path = join(folder, `${kind.replaceAll(' ', '-')}-${sha256(program)[0]}`);
  writeFileSync(path, sealElf(bytes, { program, policyText: '', sha256 }).bytes);
  chmodSync(path, 0o755);
  return path;
}

function run(words: readonly string[]): ReturnType<typeof spawnSync> {
  return spawnSync(words[0] ?? '', words.slice(1), { encoding: 'utf8', timeout: 10_000 });
}

before(() => {
  if (skip === false) outer = buildProgram({ name: 'outer', tool: 'gcc', flags: ['-static'] }, 'outer.c', folder).path;
});

for (const kind of KINDS) {
  for (const [user, prefix] of USERS) {
    const title = `${kind} as ${user}`;
    test(`${title}: without an outer filter it runs confined`, { skip }, () => {
      assert.equal(run([...prefix, sealed(kind, denying(NR.uname))]).status, 8);
    });

    for (const how of ['1', '0', '22', 'listener']) {
      for (const which of ['prctl', 'seccomp', 'both']) {
        test(`${title}: nothing runs when ${which} is answered by ${how}, exit 125`, { skip }, () => {
          const result = run([...prefix, outer, how, which, sealed(kind, denying(NR.uname))]);
          assert.equal(result.stdout, '');
          assert.match(
            String(result.stderr),
            /^selkie: cannot confine this program: .* failed \((errno|result) \d+\)\n$/,
          );
          assert.equal(result.status, 125);
        });
      }
    }

    test(`${title}: killed by an outer filter, nothing runs`, { skip }, () => {
      for (const which of ['prctl', 'seccomp', 'both']) {
        const result = run([...prefix, outer, 'kill', which, sealed(kind, denying(NR.uname))]);
        assert.deepEqual([result.stdout, result.signal], ['', 'SIGSYS']);
      }
    });

    test(`${title}: where exit_group is refused too, the process still ends with 125`, { skip }, () => {
      for (const how of ['1', '0']) {
        const result = run([...prefix, outer, how, 'exit', sealed(kind, denying(NR.uname))]);
        assert.deepEqual([result.stdout, result.status], ['', 125]);
      }
    });
  }
}

test('the message names the step and the errno', { skip }, () => {
  const path = sealed('static', denying(NR.uname));
  const message = (...words: string[]): unknown => run([outer, ...words, path]).stderr;
  const start = 'selkie: cannot confine this program:';
  assert.equal(message('22', 'prctl'), `${start} no_new_privs failed (errno 22)\n`);
  assert.equal(message('0', 'prctl'), `${start} the proof of no_new_privs failed (result 0)\n`);
  assert.equal(message('4095', 'seccomp'), `${start} seccomp failed (errno 4095)\n`);
  assert.equal(message('0', 'seccomp'), `${start} the proof of the filter failed (result 0)\n`);
});

test('a program that does not answer the probe call is not run', { skip }, () => {
  const allowAll = encode([[0x06, 0, 0, 0x7fff_0000]]);
  const result = run([sealed('static', allowAll)]);
  assert.deepEqual([result.stdout, result.status], ['', 125]);
});

test('a program that the kernel refuses is not run', { skip }, () => {
  const withoutReturn = encode([[0x20, 0, 0, 0]]);
  const result = run([sealed('static', withoutReturn)]);
  assert.match(String(result.stderr), /seccomp failed \(errno 22\)/);
  assert.deepEqual([result.stdout, result.status], ['', 125]);
});

test('where the filter itself refuses every call, the failure ends in a signal, not in the program', { skip }, () => {
  const denyAll = encode([[0x06, 0, 0, 0x0005_0001]]);
  const result = run([sealed('static', denyAll)]);
  assert.deepEqual([result.stdout, result.signal], ['', 'SIGSEGV']);
});

/**
 * The constructor of test/programs/threads.c in a library, so that it runs before the entry, and a program that calls on: threads
 * that libraries start are the only ones a stub can meet.
 */
function threaded(): string {
  const library = { name: 'library', tool: 'gcc', flags: ['-shared', '-fPIC', '-Dmain=threads_main', '-pthread'] };
  const { path: object } = buildProgram(library, 'threads.c', folder);
  const source = join(folder, 'main.c');
  writeFileSync(source, 'int threads_main(void);\nint main(void) { return threads_main(); }\n');
  const binary = join(folder, 'threaded');
  execFileSync('gcc', ['-o', binary, source, object]);
  const { bytes } = sealElf(readFileSync(binary), { program: denying(NR.uname), policyText: '', sha256 });
  writeFileSync(binary, bytes);
  return binary;
}

test('a thread that a library started is confined too', { skip }, () => {
  const result = run([threaded()]);
  assert.deepEqual([result.stdout, result.status], ['thread refused, main refused\n', 8]);
});

test('a thread that took a filter of its own stops the program: TSYNC answers with its id', { skip }, () => {
  const result = run([threaded(), 'own']);
  assert.match(String(result.stderr), /seccomp failed \(result \d+\)\n$/);
  assert.deepEqual([result.stdout, result.status], ['', 125]);
});
