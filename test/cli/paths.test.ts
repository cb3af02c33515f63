import assert from 'node:assert/strict';
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../support/folders.ts';
import { type Finished, selkie } from '../support/selkie.ts';

/** What the commands that cannot put `paths:` in force say of them. */

const folder = temporaryFolder();
const BARE = 'selkie: 1\nsets: 1\narches: [x86_64]\ndefault: allow\nsyscalls:\n  errno(EPERM): [acct]\n';

function write(name: string, paths: string): string {
  const file = join(folder, name);
  writeFileSync(file, BARE + paths);
  return file;
}
const bare = write('bare.yaml', '');
const one = write('one.yaml', 'paths: {read: [/usr], write: [/tmp]}\n');
const other = write('other.yaml', 'paths: {read: [/usr, /etc], write: ["/tmp": optional]}\n');
const at = (name: string): string => join(folder, name);
const check = ({ status, stdout }: Finished): readonly unknown[] => [status, stdout];

test('diff names the paths that differ', () => {
  const same = 'one.yaml and other.yaml do the same for every call\n';
  const lines = 'paths: read /etc: only in other.yaml\npaths: /tmp: optional in other.yaml alone\n';
  assert.deepEqual(check(selkie(['diff', 'one.yaml', 'other.yaml'], { cwd: folder })), [1, lines + same]);
  assert.match(
    selkie(['diff', 'bare.yaml', 'one.yaml'], { cwd: folder }).stdout,
    /^paths: only one.yaml has them; bare.yaml permits all files\n/,
  );
  assert.equal(selkie(['diff', one, one]).status, 0);
  const { equal, paths } = JSON.parse(selkie(['diff', one, other, '--json']).stdout);
  assert.deepEqual([equal, paths.length], [false, 2]);
});

test('prove compares the paths that a binary holds, and says when there are none to compare', () => {
  copyFileSync('/bin/true', at('true'));
  assert.equal(selkie(['seal', '-p', one, at('true')]).status, 0);
  assert.equal(selkie(['launcher', '-p', one, '-o', at('launcher'), '--simple']).status, 0);
  for (const binary of ['true.sealed', 'launcher']) {
    assert.equal(selkie(['prove', '-p', one, at(binary)]).status, 0);
    const wrong = selkie(['prove', '-p', other, at(binary)]);
    assert.equal(wrong.status, 1);
    assert.match(wrong.stdout, /^proven: .*\npaths: read \/etc: only in the policy\n/);
  }
  const compiled = selkie(['compile', one, '-o', at('one.bpf')]);
  assert.equal(compiled.status, 0);
  assert.match(compiled.stderr, /note: paths: are not in a program of seccomp/);
  const proven = selkie(['prove', '-p', one, at('one.bpf')]);
  assert.equal(proven.status, 0);
  assert.match(proven.stderr, /note: the paths of the policy are not compared/);
});

test('what would permit more than the policy is refused or said', () => {
  const go = selkie(['convert', one, '--to', 'go', '-o', at('go')]);
  assert.equal(go.status, 2);
  assert.match(go.stderr, /one\.yaml:7:16: paths: are not in Go source: seal the binary/);
  assert.match(selkie(['convert', one, '--to', 'policy']).stdout, /\npaths:\n {2}read:\n {4}- \/usr\n/);
  assert.match(selkie(['simulate', '-p', one, 'read']).stderr, /paths: are not simulated/);
  assert.match(selkie(['explain', '-p', one, '/bin/true']).stderr, /paths: are not in force while/);
});

test('merge is the union of trees', () => {
  const { stdout } = selkie(['merge', one, other]);
  assert.match(stdout, /\n {2}read:\n {4}- \/etc\n {4}- \/usr\n {2}write:\n {4}- \/tmp: optional\n$/);
  assert.match(selkie(['merge', bare, one]).stderr, /only one of the policies has "paths"/);
});

test('doctor tries whether paths can be put in force', () => {
  const { paths, features } = JSON.parse(selkie(['doctor', '--json']).stdout);
  const { answer } = features.find(({ name }: { readonly name: string }) => name === 'Landlock');
  assert.equal(paths.works, answer === 'yes');
  assert.match(selkie(['doctor']).stdout, /\npaths: +(works|does not work, because)/);
});
