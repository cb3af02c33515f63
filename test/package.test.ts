import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { scratchFolder } from './support/folders.ts';
import { ROOT, runCommand } from './support/selkie.ts';

test('the packed package, installed elsewhere, imports by every sub-path and runs', (context) => {
  const folder = scratchFolder(context);
  const packed = runCommand(['npm', 'pack', '--ignore-scripts', '--json', '--pack-destination', folder], { cwd: ROOT });
  assert.equal(packed.status, 0, packed.stderr);
  const [{ filename, files }] = JSON.parse(packed.stdout);
  for (const { path } of files) assert.doesNotMatch(path, /^(src|test|build|scripts|bench)\//);
  const target = join(folder, 'node_modules/selkie');
  mkdirSync(target, { recursive: true });
  assert.equal(runCommand(['tar', 'xzf', join(folder, filename), '-C', target, '--strip-components=1']).status, 0);
  // What npm would install beside it is this checkout's.
  assert.equal(runCommand(['ln', '-s', join(ROOT, 'node_modules'), join(target, 'node_modules')]).status, 0);
  const { exports } = JSON.parse(readFileSync(join(target, 'package.json'), 'utf8'));
  const names = Object.keys(exports).filter((name) => !name.endsWith('.json') && name !== './register');
  const imports = names.map((name) => `await import(${JSON.stringify(name.replace(/^\./, 'selkie'))});`);
  writeFileSync(join(folder, 'all.mjs'), imports.join('\n'));
  const imported = runCommand([process.execPath, 'all.mjs'], { cwd: folder });
  assert.equal(imported.status, 0, imported.stderr);
  const ran = runCommand([process.execPath, join(target, 'bin/selkie'), 'sets', '@go'], { cwd: folder });
  assert.equal(ran.status, 0, ran.stderr);
});

test('without the package that reaches the kernel, what needs none works, and the rest names it', (context) => {
  const folder = scratchFolder(context);
  for (const name of ['bin', 'dist', 'package.json']) cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  const run = (...words: string[]) =>
    runCommand([process.execPath, join(folder, 'bin/selkie'), ...words], { cwd: folder });
  assert.equal(run('sets', '@go').status, 0);
  const recorded = run('record', 'true');
  assert.equal(recorded.status, 125);
  const name = `@koromix/koffi-linux-${process.arch}`;
  assert.match(recorded.stderr, new RegExp(`the package ${name} cannot be loaded .*: npm install ${name}\n$`));
});
