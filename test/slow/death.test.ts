import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '../support/programs.ts';

const folder = temporaryFolder();
const script = join(folder, 'observe.mjs');
const notify = fileURLToPath(new URL('../../src/record/notify.js', import.meta.url));
writeFileSync(
  script,
  `import { observeCommand } from ${JSON.stringify(notify)}; await observeCommand({ command: process.argv.slice(2) });`,
);

const left = (): string =>
  spawnSync('sh', ['-c', "ps ax -o pid,stat,args | grep -E '[s]leep 7403|selkie-guar[d]'"], { encoding: 'utf8' })
    .stdout;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test('SIGKILL of Selkie at 200 random moments of a recording leaves no process behind', async () => {
  for (let round = 0; round < 200; round += 1) {
    const shell = 'sleep 7403 & setsid sleep 7403 & while :; do ls / > /dev/null; done';
    const child = spawn(process.execPath, [script, 'sh', '-c', shell], { stdio: 'ignore' });
    const ms = 20 + Math.random() * 400;
    await pause(ms);
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('exit', resolve));
    for (let wait = 0; wait < 80 && left() !== ''; wait += 1) await pause(25);
    assert.equal(left(), '', `round ${round}, after ${ms} ms`);
  }
});
