import assert from 'node:assert/strict';
import { chmodSync, chownSync, copyFileSync, cpSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { buildProgram, C_BUILDS } from '../support/builds.ts';
import { scratchFolder } from '../support/folders.ts';
import { runCommand, selkie } from '../support/selkie.ts';
import { missingTools } from '../support/tools.ts';

/** What becomes of a sealed file: sealed again, copied, packed, stripped, inspected. */

const isRoot = process.getuid?.() === 0;
const skip = missingTools('gcc', 'python3', 'gzip', 'tar', 'strip') || (isRoot ? false : 'needs root');
const policyOf = (denied: string): string =>
  `selkie: 1\nsets: 1\narches: [x86_64]\ndefault: allow\nsyscalls:\n  errno(EPERM): [${denied}]\n`;

interface Place {
  readonly folder: string;
  readonly original: Buffer;
}

/** A program with an owner, a mode and an attribute of its own, and two policies. */
function place(context: TestContext): Place {
  const folder = scratchFolder(context);
  const build = C_BUILDS.find(({ name }) => name === 'dynamic') ?? C_BUILDS[0];
  if (build === undefined) throw new Error('no build');
  copyFileSync(buildProgram(build, 'uname.c', folder).path, join(folder, 'app'));
  chownSync(join(folder, 'app'), 65534, 12345);
  chmodSync(join(folder, 'app'), 0o754);
  python(folder, "os.setxattr('app', 'user.selkie', b'kept')");
  for (const name of ['uname', 'socket']) writeFileSync(join(folder, `${name}.yaml`), policyOf(name));
  return { folder, original: readFileSync(join(folder, 'app')) };
}

function python(folder: string, statement: string): string {
  const { status, stdout, stderr } = runCommand(['python3', '-c', `import os; ${statement}`], { cwd: folder });
  assert.equal(status, 0, stderr);
  return stdout.trim();
}

const seal = (folder: string, policy: string, ...flags: readonly string[]): ReturnType<typeof selkie> =>
  selkie(['seal', '-p', `${policy}.yaml`, 'app', ...flags], { cwd: folder });
const statusOf = (folder: string, file: string): number | null => runCommand([join(folder, file)]).status;

interface Inspected {
  readonly sealed: boolean;
  readonly intact?: boolean;
  readonly policy?: string;
}

function inspect(folder: string, file: string): Inspected {
  const { status, stdout } = selkie(['inspect', '--json', file], { cwd: folder });
  const result = JSON.parse(stdout) as Inspected;
  assert.equal(status, result.sealed ? 0 : 1);
  return result;
}

test('a sealed file is refused, replaced by --force, and unsealed: mode, owner and attributes stay', {
  skip,
}, (context) => {
  const { folder, original } = place(context);
  const checkKept = (): void => {
    const { mode, uid, gid } = statSync(join(folder, 'app'));
    assert.deepEqual([mode & 0o7777, uid, gid], [0o754, 65534, 12345]);
    assert.equal(python(folder, "print(os.getxattr('app', 'user.selkie').decode())"), 'kept');
  };
  assert.equal(seal(folder, 'uname', '--in-place').status, 0);
  checkKept();
  assert.equal(statusOf(folder, 'app'), 8);
  const sealed = readFileSync(join(folder, 'app'));
  const refused = seal(folder, 'socket', '--in-place');
  assert.equal(refused.status, 2);
  assert.match(refused.stderr, /^selkie seal: .*app: .*sealed already: --force replaces its filter, `selkie unseal`/);
  assert.ok(readFileSync(join(folder, 'app')).equals(sealed));
  const forced = seal(folder, 'socket', '--in-place', '--force', '--json');
  assert.equal(JSON.parse(forced.stdout).originalSize, original.length);
  checkKept();
  assert.equal(statusOf(folder, 'app'), 7, 'uname is permitted again');
  assert.match(inspect(folder, 'app').policy ?? '', /- socket$/m);
  assert.equal(selkie(['unseal', 'app', '--in-place'], { cwd: folder }).status, 0);
  checkKept();
  assert.ok(readFileSync(join(folder, 'app')).equals(original));
  assert.deepEqual(inspect(folder, 'app'), { sealed: false });
});

test('a sealed file that was copied, or packed and unpacked, is the same; a hard link to the original stays unsealed', {
  skip,
}, (context) => {
  const { folder, original } = place(context);
  assert.equal(runCommand(['ln', 'app', 'other-name'], { cwd: folder }).status, 0);
  assert.equal(seal(folder, 'uname', '--in-place').status, 0);
  assert.ok(readFileSync(join(folder, 'other-name')).equals(original));
  const script = `set -e; cp app copied; cp -a app archived; gzip -kc app | gunzip > zipped; chmod +x zipped
    tar -cf app.tar app; mkdir out; tar -xf app.tar -C out; mv out/app tarred; cat app > catted; chmod +x catted`;
  assert.equal(runCommand(['sh', '-c', script], { cwd: folder }).status, 0);
  cpSync(join(folder, 'app'), join(folder, 'node-copied'));
  for (const name of ['copied', 'archived', 'zipped', 'tarred', 'catted', 'node-copied']) {
    assert.deepEqual([inspect(folder, name).intact, statusOf(folder, name)], [true, 8], name);
    assert.equal(selkie(['unseal', name, '--in-place'], { cwd: folder }).status, 0);
    assert.ok(readFileSync(join(folder, name)).equals(original), name);
  }
});

test('a sealed file that was stripped is confined and inspected, but not unsealed; packed without its end it is refused', {
  skip,
}, (context) => {
  const { folder } = place(context);
  assert.equal(seal(folder, 'uname', '--in-place').status, 0);
  const script = 'cp app stripped; strip stripped; head -c 9000 app > cut';
  assert.equal(runCommand(['sh', '-c', script], { cwd: folder }).status, 0);
  assert.deepEqual([inspect(folder, 'stripped').intact, statusOf(folder, 'stripped')], [true, 8]);
  const refused = selkie(['unseal', 'stripped', '--in-place'], { cwd: folder });
  assert.deepEqual([refused.status, statusOf(folder, 'stripped')], [2, 8]);
  assert.match(refused.stderr, /it was changed after sealing \(strip, objcopy, patchelf\?\)/);
  const cut = selkie(['inspect', 'cut'], { cwd: folder });
  assert.equal(cut.status, 2);
  assert.match(cut.stderr, /cut: Cannot read the ELF file/);
});
