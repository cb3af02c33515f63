// Installs what is missing and builds what is stale, so that `npm run demo` and `npm test` work on a fresh clone.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { newestChange, root } from './sources.mjs';

const stamp = `${root}node_modules/.selkie-lock-hash`;
const lockHash = createHash('sha256')
  .update(readFileSync(`${root}package-lock.json`))
  .digest('hex');
const installed = existsSync(stamp) && readFileSync(stamp, 'utf8') === lockHash;
if (!installed) {
  process.stderr.write('installing packages ...\n');
  // Not `npm ci`: it insists on packages of other platforms, which not every registry has.
  execFileSync('npm', ['install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  });
  writeFileSync(stamp, lockHash);
}

const built = `${root}build/.built`;
if (!existsSync(built) || statSync(built).mtimeMs < newestChange()) {
  process.stderr.write('building ...\n');
  await import('./build.mjs');
}
