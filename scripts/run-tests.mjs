// Runs the built tests (all, or those whose path contains an argument). Skips are listed at the end; with SELKIE_TEST_ALL=1 any skip fails.
import { relative } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { filesUnder, root } from './sources.mjs';

const wanted = process.argv.slice(2).filter((word) => word !== '--slow');
const slow = process.argv.includes('--slow');
const files = filesUnder('build/test')
  .filter((file) => file.endsWith('.test.js') && file.includes('/build/test/slow/') === slow)
  .filter((file) => wanted.length === 0 || wanted.some((word) => relative(root, file).includes(word)));

const skipped = [];
let failed = 0;
let passed = 0;
const stream = run({ files, concurrency: 2, timeout: slow ? 3_600_000 : 600_000 });
stream.on('test:pass', (event) => {
  if (event.skip !== undefined) skipped.push(`${event.name}: ${event.skip}`);
  else if (event.details.type !== 'suite') passed += 1;
});
stream.on('test:fail', () => {
  failed += 1;
});
stream.on('end', () => {
  if (skipped.length > 0) console.log(`skipped here:\n${skipped.map((line) => `  ${line}`).join('\n')}`);
  console.log(`${passed} passed, ${failed} failed, ${skipped.length} skipped`);
  if (failed > 0 || passed === 0 || (skipped.length > 0 && process.env.SELKIE_TEST_ALL === '1')) process.exitCode = 1;
});
stream.compose(spec).pipe(process.stdout);
