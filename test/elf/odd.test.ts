import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ElfError } from '../../src/base/errors.ts';
import { unsealElf } from '../../src/elf/inspect.ts';
import { sealElf } from '../../src/elf/seal.ts';
import { denying, NR } from '../support/filters.ts';
import { temporaryFolder } from '../support/folders.ts';
import { headers, MORE_ODD } from '../support/more-odd-elf.ts';
import { ODD, scripted } from '../support/odd-elf.ts';
import { missingTools } from '../support/tools.ts';

/**
 * Programs that the kernel runs though linkers seldom write them so. Each is sealed and then behaves as before, confined, or it is refused
 * by name; no tool that rewrites the sealed file makes it run unconfined.
 */

const folder = temporaryFolder();
const skip = missingTools('gcc', 'readelf');
const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();
let written = 0;
/** Each run gets a file of its own, so that none is written while it runs. */
function program(bytes: Uint8Array): string {
  written += 1;
  const path = join(folder, `odd-${written}`);
  writeFileSync(path, bytes, { mode: 0o755 });
  return path;
}

interface Outcome {
  readonly status: number | null;
  readonly signal: string | null;
  readonly text: string;
}

/** argv[0] is the same for all, since uname.c prints its last argument. */
function run(path: string): Outcome {
  const options = { encoding: 'utf8', timeout: 20_000, cwd: folder, argv0: 'odd' } as const;
  const { status, signal, stdout, stderr } = spawnSync(path, [], options);
  return { status, signal, text: `${stdout}${stderr}` };
}

const readelf = (path: string): string =>
  spawnSync('readelf', ['-lW', path], { encoding: 'utf8' }).stderr.replaceAll(path, '');

const REWRITERS: readonly (readonly string[])[] = [
  ['strip'],
  ['objcopy', '-S'],
  ['objcopy', '--remove-section=.selkie'],
  ['strip', '--strip-section-headers'],
  ['llvm-strip'],
  ['llvm-objcopy', '--strip-sections'],
  ['eu-strip'],
  ['patchelf', '--set-rpath', '/tmp'],
  ['patchelf', '--set-interpreter', '/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2'],
];

/** Every rewriting tool on a sealed file; returns what became of it, and fails where it runs unconfined. */
function rewrite(title: string, sealed: Uint8Array): string[] {
  return REWRITERS.filter(([tool = '']) => missingTools(tool) === false).map(([tool = '', ...flags]) => {
    const path = program(sealed);
    const refused = spawnSync(tool, [...flags, path]).status !== 0;
    const { status, signal } = run(path);
    assert.notEqual(status, 7, `${title}: unconfined after ${tool} ${flags.join(' ')}`);
    return `${tool} ${flags[0] ?? ''}: ${refused ? 'refused' : (signal ?? status)}`;
  });
}

test('the relative interpreter is there', { skip }, () => {
  mkdirSync(join(folder, 'lib'));
  copyFileSync('/lib64/ld-linux-x86-64.so.2', join(folder, 'lib', 'loader'));
  symlinkSync('lib/loader', join(folder, 'loader'));
});

for (const [title, make, code] of [...ODD, ...MORE_ODD]) {
  test(`${title}: ${code ?? 'sealed, it runs as before and confined'}`, { skip }, (context) => {
    const original = make();
    const untouched = Buffer.from(original);
    const seal = (...denied: readonly number[]): Uint8Array =>
      sealElf(original, { program: denying(...denied), policyText: '', sha256 }).bytes;
    if (code !== undefined) {
      return assert.throws(
        () => seal(),
        (error) => error instanceof ElfError && error.code === code,
      );
    }
    const before = run(program(original));
    const sealed = program(seal());
    assert.deepEqual(run(sealed), before);
    assert.ok(Buffer.from(unsealElf(readFileSync(sealed), sha256)).equals(untouched));
    assert.equal(readelf(sealed), readelf(program(original)));
    if (before.status !== 7) return assert.equal(before.status, 0, before.text);
    const closed = seal(NR.uname);
    assert.equal(run(program(closed)).status, 8);
    context.diagnostic(rewrite(title, closed).join(', '));
  });
}

test('one program header more than older kernels take is said', { skip }, () => {
  const warnings = (count: number): string =>
    sealElf(scripted(`warned-${count}`, headers(count)), {
      program: denying(),
      policyText: '',
      sha256,
    }).warnings.join();
  assert.match(warnings(73), /it has 74 program headers: Linux 6\.1 and older start no file with more than 73/);
  assert.deepEqual([warnings(72), warnings(74)], ['', '']);
});
