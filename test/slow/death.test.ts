import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { aliveWith } from '../support/alive.ts';
import { temporaryFolder } from '../support/folders.ts';
import { compileC } from '../support/programs.ts';
import { SELKIE } from '../support/selkie.ts';

const folder = temporaryFolder();
const script = join(folder, 'observe.mjs');
const record = fileURLToPath(new URL('../../src/record/record.js', import.meta.url));
writeFileSync(
  script,
  `import { record } from ${JSON.stringify(record)}; const [backend, ...command] = process.argv.slice(2); await record({ backend, command });`,
);

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** The environment of one round, and the mark that its processes have. */
function marked(round: string): { readonly env: NodeJS.ProcessEnv; readonly mark: string } {
  const value = `${process.pid}-${round}`;
  return { env: { ...process.env, SELKIE_TEST_ROUND: value }, mark: `SELKIE_TEST_ROUND=${value}` };
}

/** About when Selkie becomes the program: half of the moments come before, half after. */
const RUN_MS = 120;

test('SIGKILL of Selkie at 200 random moments of a run leaves no process behind, and nothing ran unconfined', async () => {
  const program = compileC(
    folder,
    'proves',
    `#include <errno.h>
     #include <fcntl.h>
     #include <stdio.h>
     #include <sys/utsname.h>
     #include <unistd.h>
     int main(int argc, char **argv) {
       struct utsname name;
       const char *answer = uname(&name) == 0 ? "free" : errno == EPERM ? "confined" : "other";
       int file = open(argv[1], O_WRONLY | O_CREAT | O_EXCL, 0600);
       if (file < 0 || dprintf(file, "%s", answer) < 0 || close(file) != 0) return 1;
       execl("/bin/sleep", "sleep", "7403", (char *)0);
       return 2;
     }`,
  );
  const policy = join(folder, 'run.yaml');
  writeFileSync(policy, 'selkie: 1\nsets: 1\ndefault: allow\nsyscalls:\n  errno(EPERM): [uname]\n');
  const seen = { nothing: 0, confined: 0 };
  for (let round = 0; round < 200; round += 1) {
    const file = join(folder, `proof-${round}`);
    const { env, mark } = marked(`run-${round}`);
    const child = spawn(process.execPath, [SELKIE, 'run', '-p', policy, program, file], { stdio: 'ignore', env });
    const ms = Math.random() * 2 * RUN_MS;
    await pause(ms);
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('exit', resolve));
    assert.deepEqual(aliveWith(mark), [], `round ${round}, after ${ms} ms`);
    const answer = existsSync(file) ? readFileSync(file, 'utf8') : '';
    if (answer === '') seen.nothing += 1;
    else seen.confined += 1;
    assert.ok(answer === '' || answer === 'confined', `round ${round}, after ${ms} ms: ${answer}`);
  }
  assert.ok(seen.nothing > 20 && seen.confined > 20, `moments before and after the exec: ${JSON.stringify(seen)}`);
  console.log(`killed before the program said anything: ${seen.nothing}, afterwards: ${seen.confined}`);
});

for (const backend of ['notify', 'ptrace'])
  test(`SIGKILL of Selkie at 200 random moments of a recording by ${backend} leaves no process behind`, async () => {
    for (let round = 0; round < 200; round += 1) {
      const shell = 'sleep 7403 & setsid sleep 7403 & while :; do ls / > /dev/null; done';
      const { env, mark } = marked(`record-${round}`);
      const child = spawn(process.execPath, [script, backend, 'sh', '-c', shell], { stdio: 'ignore', env });
      const ms = 20 + Math.random() * 400;
      await pause(ms);
      child.kill('SIGKILL');
      await new Promise((resolve) => child.once('exit', resolve));
      for (let wait = 0; wait < 80 && aliveWith(mark).length > 0; wait += 1) await pause(25);
      assert.deepEqual(aliveWith(mark), [], `round ${round}, after ${ms} ms`);
    }
  });
