import test from 'node:test';
import { scratchFolder } from '../support/folders.ts';
import { checkEnds, checkSuite } from '../support/node-app.ts';
import { missingTools } from '../support/tools.ts';

test('forty things that applications do work in a confined Node', { skip: missingTools('openssl') }, (context) =>
  checkSuite(process.execPath, scratchFolder(context)),
);

test('a confined Node ends as an unconfined one does', { skip: missingTools('openssl') }, (context) =>
  checkEnds(process.execPath, scratchFolder(context)),
);
