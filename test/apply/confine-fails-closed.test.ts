import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { buildProgram } from '../support/builds.ts';
import { temporaryFolder } from '../support/folders.ts';
import { type Finished, ROOT, runCommand } from '../support/selkie.ts';
import { missingTools } from '../support/tools.ts';

/** Whatever a filter that is in force already answers to `confine`: what follows it runs confined, or not at all. */

const folder = temporaryFolder();

/** Says that it was reached, and whether a child can be started. Its first argument is a policy for the outer filter. */
const script = join(folder, 'main.mjs');
writeFileSync(
  script,
  `import { spawnSync } from 'node:child_process';
import { writeSync } from 'node:fs';
import { confine } from '${ROOT}build/src/confine.js';
if (process.argv[2]) confine(process.argv[2]);
confine({ allow: ['@stdio'] });
writeSync(1, \`reached, child \${spawnSync('/bin/true').error?.code}\`);
process.exit();
`,
);

function checkClosed({ status, signal, stdout, stderr }: Finished): void {
  const what = JSON.stringify({ status, signal, stdout, stderr });
  assert.notEqual(signal, 'SIGTERM', what);
  if (stdout === '') assert.ok(status !== 0, what);
  else assert.equal(stdout, 'reached, child EPERM', what);
}

/** What confine calls, and conditions that single out a step. */
const STEPS = [
  'prctl: option == PR_GET_NO_NEW_PRIVS',
  'prctl: option == PR_SET_NO_NEW_PRIVS',
  'prctl',
  'seccomp: operation == SECCOMP_SET_MODE_FILTER && args == 0',
  'seccomp: operation == SECCOMP_SET_MODE_FILTER && args != 0',
  'seccomp: operation == SECCOMP_GET_ACTION_AVAIL',
  'seccomp: operation == 0x5e1c1e00',
  'seccomp',
  'openat',
  'getdents64',
  'fstat',
  'read',
  'close',
  'mmap',
  'munmap',
];

for (const [index, step] of STEPS.entries())
  test(`confine fails closed where another filter answers ${step}`, () => {
    for (const action of ['errno(EPERM)', 'return_zero', 'errno(EINVAL)', 'kill_process']) {
      const policy = join(folder, `outer-${index}.yaml`);
      writeFileSync(
        policy,
        `selkie: 1\nsets: 1\narches: [x86_64]\ndefault: allow\nsyscalls:\n  ${action}:\n    - ${step}\n`,
      );
      checkClosed(runCommand([process.execPath, script, policy], { timeout: 60_000 }));
    }
  });

for (const nobody of [false, true])
  for (const how of ['1', '0', '22', 'kill', 'listener'])
    test(`confine fails closed where prctl or seccomp is answered by ${how}${nobody ? ', as nobody' : ''}`, {
      skip: missingTools('gcc', 'setpriv'),
    }, () => {
      const outer = buildProgram({ name: 'outer', tool: 'gcc', flags: ['-static'] }, 'outer.c', folder).path;
      for (const which of ['prctl', 'seccomp', 'both']) {
        const result = runCommand([outer, how, which, process.execPath, script], { nobody, timeout: 60_000 });
        checkClosed(result);
        // With prctl alone refused it can be confined: the outer program has set no_new_privs.
        if (which !== 'prctl') assert.equal(result.stdout, '');
      }
    });

test('without another filter it is reached, and confined', () => {
  assert.equal(runCommand([process.execPath, script]).stdout, 'reached, child EPERM');
});
