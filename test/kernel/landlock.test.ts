import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../support/folders.ts';
import { ROOT, runCommand } from '../support/selkie.ts';
import { missingTools } from '../support/tools.ts';

const folder = temporaryFolder();
const skip = missingTools('setpriv');

/** Runs code in a Node of its own, since nothing takes a restriction back; it has `openRuleset` and the like, and prints JSON. */
function inNode(code: string, nobody: boolean): unknown {
  const from = (module: string): string => JSON.stringify(`${ROOT}build/src/${module}`);
  const script = join(folder, 'script.mjs');
  writeFileSync(
    script,
    `import { readFileSync, writeFileSync, readdirSync } from 'node:fs';
import { landlockAbi, openRuleset, restrictSelf } from ${from('kernel/landlock.js')};
import { setNoNewPrivs } from ${from('kernel/seccomp.js')};
import { resolvePaths } from ${from('policy/paths.js')};
const errno = (work) => { try { work(); return 0; } catch (error) { return error.code ?? error.message; } };
${code}`,
  );
  const { stdout, stderr } = runCommand([process.execPath, script], { nobody });
  assert.equal(stderr, '');
  return JSON.parse(stdout);
}

for (const nobody of [false, true])
  test(`the calling thread is restricted to the paths, as ${nobody ? 'nobody' : 'root'}`, { skip }, () => {
    const code = `
const entry = (path, isOptional = false) => ({ path, isOptional });
const rules = resolvePaths({ read: [entry('/usr'), entry('/nowhere', true)], write: [entry('/dev/null')] });
setNoNewPrivs();
restrictSelf(openRuleset(rules), 0);
console.log(JSON.stringify([
  landlockAbi() >= 3,
  errno(() => readdirSync('/usr')), errno(() => readdirSync('/')), errno(() => readFileSync('/etc/passwd')),
  errno(() => writeFileSync('/dev/null', 'x')), errno(() => readFileSync('/dev/null')),
]));`;
    assert.deepEqual(inNode(code, nobody), [true, 0, 'EACCES', 'EACCES', 0, 'EACCES']);
  });

test('what cannot be put in force is said', { skip }, () => {
  const code = `
const said = (work) => { try { work(); return ''; } catch (error) { return error.message; } };
const rule = { path: '/no/where', rights: 4, isOptional: false };
console.log(JSON.stringify([
  said(() => openRuleset({ abi: 3, rules: [rule] })),
  said(() => openRuleset({ abi: 99, rules: [] })),
  said(() => restrictSelf(-1, 0)),
]));`;
  const [missing, old, none] = inNode(code, true) as string[];
  assert.equal(missing, 'Cannot put paths: in force: "/no/where": open: ENOENT');
  assert.match(old ?? '', /^Cannot put paths: in force: Landlock has ABI \d+ here, paths: asks for 99$/);
  // Without no_new_privs.
  assert.equal(none, 'Cannot put paths: in force: landlock_restrict_self: EPERM');
});
