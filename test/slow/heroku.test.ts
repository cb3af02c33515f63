import assert from 'node:assert/strict';
import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { scratchFolder } from '../support/folders.ts';
import { compile, makeApp } from '../support/heroku.ts';
import { ROOT, runCommand } from '../support/selkie.ts';
import { missingTools } from '../support/tools.ts';

test('a program that does not end while the buildpack records it is ended, and the build fails', {
  skip: missingTools('npm', 'setpriv'),
}, (context) => {
  const folder = scratchFolder(context);
  const cache = join(folder, 'cache');
  mkdirSync(cache);
  const words = ['npm', 'pack', '--ignore-scripts', '--json', '--pack-destination', folder];
  const [{ filename }] = JSON.parse(runCommand(words, { cwd: ROOT }).stdout);
  const seal = { 'bin/sleep': { record: ['7654321'] } };
  const files = { 'selkie.json': JSON.stringify({ seal }) };
  const app = makeApp(scratchFolder(context), files, { SELKIE_PACKAGE: join(folder, filename) }, cache);
  mkdirSync(join(app.build, 'bin'));
  cpSync('/bin/sleep', join(app.build, 'bin/sleep'));
  const { status, stderr } = compile(app);
  assert.equal(status, 1);
  assert.match(stderr, /^ ! {5}Cannot record "bin\/sleep": it did not end within 60 s: give it arguments/m);
  assert.notEqual(runCommand(['pgrep', '-f', '^./bin/sleep 7654321']).status, 0);
});
