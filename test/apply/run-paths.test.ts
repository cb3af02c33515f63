import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { type Build, buildProgram, C_BUILDS, cannotBuild } from '../support/builds.ts';
import { temporaryFolder } from '../support/folders.ts';
import { failures, LIBRARIES, makeTree, pathsFor } from '../support/paths.ts';
import { type Finished, SELKIE, selkie } from '../support/selkie.ts';
import { missingTools } from '../support/tools.ts';

const skip = missingTools('gcc', 'setpriv');
const folder = temporaryFolder();
const HEAD = 'selkie: 1\nsets: 1\narches: [x86_64]\ndefault: allow\nsyscalls:\n  errno(EPERM): [acct]\n';
/** More than the exec: a notification or a tracer follows to the entry. */
const START = 'start:\n  allow:\n    - acct: filename == 0\n';
let outer = '';
let count = 0;

before(() => {
  if (skip === false) outer = buildProgram({ name: 'outer', tool: 'gcc', flags: ['-static'] }, 'outer.c', folder).path;
});

function build(kind: string): string {
  return buildProgram(C_BUILDS.find(({ name }) => name === kind) as Build, 'files.c', folder).path;
}

function policy(text: string): string {
  count += 1;
  const file = join(folder, `policy-${count}.yaml`);
  writeFileSync(file, HEAD + text);
  return file;
}

/** `fallback`: somebody listens already, so that the start is ended by ptrace. */
const WAYS = { notification: [], injection: ['--inject'], simple: ['--simple'], fallback: [] } as const;

for (const way of Object.keys(WAYS) as (keyof typeof WAYS)[])
  for (const kind of ['static', 'dynamic PIE', 'dynamic musl'])
    for (const nobody of [false, true])
      test(`run by ${way}, ${kind}, as ${nobody ? 'nobody' : 'root'}: what paths does not give is refused`, {
        skip: skip || cannotBuild(C_BUILDS.find(({ name }) => name === kind) as Build),
      }, () => {
        const program = build(kind);
        const tree = makeTree(folder, build('static'));
        const file = policy(START + pathsFor(tree, { ...LIBRARIES, execute: [...LIBRARIES.execute, program] }));
        const run = [process.execPath, SELKIE, 'run', ...WAYS[way], '-p', file, '--', program];
        const command = way === 'fallback' ? [outer, 'listener', '163', ...run] : run;
        const stderr = way === 'fallback' ? /^selkie: [^\n]*\n$/ : /^$/;
        assert.deepEqual(failures({ command, tree, nobody, stderr }), []);
      });

test('what the command needs and may not execute is named before it is started', { skip }, () => {
  const run = (paths: string, command: string): Finished =>
    selkie(['run', '-p', policy(paths), '--', command, 'stat', '/']);
  const dynamic = build('dynamic PIE');
  const script = join(folder, 'script');
  writeFileSync(script, `#!${dynamic}\n`, { mode: 0o755 });
  const refused = run('paths: {execute: [/usr/bin]}\n', dynamic);
  assert.equal(refused.status, 125);
  assert.ok(
    refused.stderr.includes(`Cannot run '${dynamic}': it is not beneath "execute" of "paths": add "${dynamic}" there`),
  );
  const loader = run(`paths: {execute: [${dynamic}]}\n`, dynamic);
  assert.match(loader.stderr, /ld-linux-x86-64\.so\.2, which starts it, is not beneath "execute" of "paths": add "/);
  const interpreter = run(`paths: {execute: [${script}]}\n`, script);
  assert.ok(interpreter.stderr.includes(`${dynamic}, which starts it, is not beneath "execute"`));
  // By another name of the same folder.
  assert.equal(run('paths: {execute: [/proc/self/root]}\n', build('static')).stdout, '0\n');
});

test('run --explain says that paths are not in force', { skip }, () => {
  const { stderr } = selkie(['run', '--explain', '-p', policy('paths: {execute: [/usr]}\n'), '--', build('static')]);
  assert.match(stderr, /note: paths: are not in force/);
});
