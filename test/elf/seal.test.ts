import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { inspectElf, unsealElf } from '../../src/elf/inspect.ts';
import { readElf } from '../../src/elf/read.ts';
import { type SealResult, sealElf } from '../../src/elf/seal.ts';
import { type Build, buildProgram, C_BUILDS, cannotBuild, GO_BUILDS } from '../support/builds.ts';
import { denying, NR } from '../support/filters.ts';
import { temporaryFolder } from '../support/folders.ts';
import { missingTools } from '../support/tools.ts';

const folder = temporaryFolder();
const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();
const policyText = 'selkie: 1\n# ünïcode\n';

function seal(bytes: Uint8Array, denied: readonly number[] = [NR.uname]): SealResult {
  return sealElf(bytes, { program: denying(...denied), policyText, sha256 });
}

/** Writes an executable file into the test's folder. */
function program(name: string, bytes: Uint8Array): string {
  const path = join(folder, name.replace(/[^\w.]/g, '-'));
  writeFileSync(path, bytes);
  chmodSync(path, 0o755);
  return path;
}

function run(path: string, ...words: readonly string[]): { status: number | null; text: string } {
  const { status, stdout, stderr } = spawnSync(path, words, { encoding: 'utf8', timeout: 20_000 });
  return { status, text: `${stdout}${stderr}` };
}

function sourceOf(build: Build): string {
  return build.tool === 'go' ? 'uname.go' : 'uname.c';
}

for (const build of [...C_BUILDS, ...GO_BUILDS]) {
  test(`${build.name}: sealed it runs as before, but the denied call is refused`, { skip: cannotBuild(build) }, () => {
    const original = buildProgram(build, sourceOf(build), folder);
    const before = run(original.path, 'a', 'b');
    assert.equal(before.status, 7);
    const open = run(program(`${build.name}.open`, seal(original.bytes, []).bytes), 'a', 'b');
    assert.deepEqual(open, before);
    const closed = run(program(`${build.name}.sealed`, seal(original.bytes).bytes), 'a', 'b');
    assert.equal(closed.status, 8);
    assert.match(closed.text, /^uname: operation not permitted, 3 arguments/i);
  });

  test(`${build.name}: the same inputs give the same bytes, and unsealing the original ones`, {
    skip: cannotBuild(build),
  }, () => {
    const original = buildProgram(build, sourceOf(build), folder);
    const untouched = Uint8Array.from(original.bytes);
    const sealed = seal(original.bytes);
    assert.deepEqual(seal(Uint8Array.from(original.bytes)).bytes, sealed.bytes);
    assert.ok(Buffer.from(unsealElf(sealed.bytes, sha256)).equals(untouched));
    assert.ok(Buffer.from(original.bytes).equals(untouched), 'sealing changed its input');
    const tableSize = readElf(original.bytes).sections.length * 64;
    const growth = sealed.bytes.length - original.bytes.length;
    assert.ok(growth <= 12 * 1024 + tableSize, `grew by ${growth} bytes`);
    assert.throws(() => seal(sealed.bytes), { name: 'ElfError', code: 'elf_sealed' });
  });

  test(`${build.name}: the headers are in order`, { skip: cannotBuild(build) || missingTools('readelf') }, () => {
    const original = buildProgram(build, sourceOf(build), folder);
    const sealed = seal(original.bytes);
    const elf = readElf(sealed.bytes);
    const loads = elf.segments.filter((segment) => segment.type === 1);
    const added = loads.at(-1);
    assert.ok(added && added.flags === 5 && added.filesz === added.memsz && added.vaddr % 4096 === 0);
    assert.deepEqual(
      loads,
      loads.toSorted((a, b) => a.vaddr - b.vaddr),
    );
    const section = elf.sections.find((entry) => entry.name === '.selkie');
    assert.deepEqual([section?.addr, section?.offset, section?.size], [added.vaddr, added.offset, added.filesz]);
    const gone = elf.segments.map((segment) => segment.type);
    for (const type of [0x6474e551, 0x6474e553]) {
      const had = readElf(original.bytes).segments.some((segment) => segment.type === type);
      assert.equal(gone.includes(type), had, `header of type 0x${type.toString(16)}`);
    }
    const { stderr } = spawnSync('readelf', ['-lSW', program(`${build.name}.headers`, sealed.bytes)], {
      encoding: 'utf8',
    });
    assert.equal(stderr, '');
  });
}

const STRIPPERS = [
  ['strip'],
  ['objcopy', '--strip-debug'],
  ['llvm-strip'],
  ['eu-strip'],
  ['patchelf', '--set-rpath', '/tmp'],
];
for (const [tool = '', ...flags] of STRIPPERS) {
  const title = `after ${[tool, ...flags].join(' ')} a sealed file runs confined or not at all, and is not unsealed`;
  test(title, { skip: missingTools(tool, 'gcc') }, (context) => {
    for (const build of [...C_BUILDS, ...GO_BUILDS.slice(0, 1)]) {
      // patchelf damages static PIE files, sealed or not.
      if (cannotBuild(build) || (tool === 'patchelf' && build.name === 'static PIE')) continue;
      const sealed = seal(buildProgram(build, sourceOf(build), folder).bytes);
      const path = program(`${build.name}.${tool}`, sealed.bytes);
      const refused = spawnSync(tool, [...flags, path]).status !== 0;
      const changed = !readFileSync(path).equals(sealed.bytes);
      context.diagnostic(
        `${build.name} (${sealed.layout}): ${refused ? 'refused' : changed ? 'changed' : 'unchanged'}`,
      );
      const { status, text } = run(path);
      // Moved program headers do not survive every tool: inspect says so, and what such a tool writes crashes at its start.
      if (sealed.layout === 'moved' && status === null) {
        assert.equal(text, '', build.name);
        assert.throws(() => unsealElf(readFileSync(path), sha256), { name: 'ElfError' });
        continue;
      }
      assert.equal(status, 8, build.name);
      if (changed) assert.throws(() => unsealElf(readFileSync(path), sha256), { code: 'elf_altered' });
      assert.equal(inspectElf(readFileSync(path))?.policyText, policyText);
    }
  });
}

test('a file without notes and without room gets moved program headers, and inspect says not to strip it', (context) => {
  const build = C_BUILDS.find((entry) => entry.name === 'static musl stripped');
  if (build === undefined || cannotBuild(build)) return context.skip('missing here: musl-gcc');
  const bytes = Uint8Array.from(buildProgram(build, 'uname.c', folder).bytes);
  const { phoff, segments } = readElf(bytes);
  // What stands behind the table is padding; one byte that is not zero makes it data.
  bytes[phoff + segments.length * 56 + 8] = 1;
  const sealed = seal(bytes);
  assert.equal(sealed.layout, 'moved');
  assert.equal(run(program('moved', sealed.bytes)).status, 8);
  assert.match(inspectElf(sealed.bytes)?.warnings.join() ?? '', /do not strip/);
  assert.ok(Buffer.from(unsealElf(sealed.bytes, sha256)).equals(Buffer.from(bytes)));
});

test('functions of DT_PREINIT_ARRAY run before the filter, and the result says so', {
  skip: missingTools('gcc'),
}, () => {
  const build = (name: string): Build => C_BUILDS.find((entry) => entry.name === name) as Build;
  const dynamic = seal(buildProgram(build('dynamic'), 'preinit.c', folder).bytes);
  assert.match(dynamic.warnings.join('\n'), /1 function of its DT_PREINIT_ARRAY runs before the filter/);
  assert.match(inspectElf(dynamic.bytes)?.warnings.join('\n') ?? '', /LD_\* variables.*DT_PREINIT_ARRAY/s);
  assert.deepEqual(run(program('preinit', dynamic.bytes)), { status: 8, text: 'early 1, late 0\n' });
  const fixed = seal(buildProgram(build('static'), 'preinit.c', folder).bytes);
  assert.deepEqual(fixed.warnings, []);
  assert.deepEqual(run(program('preinit-static', fixed.bytes)), { status: 8, text: 'early 0, late 0\n' });
});

for (const [path, ...words] of [
  ['/bin/ls', '-la', '/etc/apt'],
  ['/bin/bash', '-c', 'echo $((6*7)); exit 3'],
  ['/usr/bin/python3', '-c', 'print(6*7)'],
]) {
  test(`${path} of this system gives the same output sealed`, {
    skip: path && existsSync(path) ? false : 'not there',
  }, () => {
    const bytes = readFileSync(path ?? '');
    if (bytes[0] !== 0x7f) return;
    const sealed = program(`system-${path}`, seal(bytes).bytes);
    assert.deepEqual(run(sealed, ...words), run(path ?? '', ...words));
    const socket = ['-c', 'import socket; socket.socket()'];
    if (path?.includes('python')) {
      const closed = run(program('python-closed', seal(bytes, [NR.socket]).bytes), ...socket);
      assert.match(closed.text, /PermissionError/);
    }
  });
}

test('eu-elflint finds nothing in a sealed file that it does not find in the original', {
  skip: missingTools('eu-elflint', 'gcc'),
}, () => {
  const lint = (path: string): string => spawnSync('eu-elflint', ['--gnu', path], { encoding: 'utf8' }).stdout;
  for (const build of C_BUILDS.filter((entry) => !cannotBuild(entry))) {
    const original = buildProgram(build, 'uname.c', folder);
    assert.equal(lint(program('lint', seal(original.bytes).bytes)), lint(original.path), build.name);
  }
});

test('inspect gives policy, program, hashes and entry, and names a stub that was changed', {
  skip: missingTools('gcc'),
}, () => {
  const original = buildProgram(C_BUILDS[0] as Build, 'uname.c', folder).bytes;
  assert.equal(inspectElf(original), undefined);
  const { bytes } = seal(original);
  const sealed = inspectElf(bytes);
  assert.ok(sealed?.intact);
  assert.equal(sealed.policyText, policyText);
  assert.deepEqual(Buffer.from(sealed.program), Buffer.from(denying(NR.uname)));
  assert.deepEqual(Buffer.from(sealed.originalDigest), Buffer.from(sha256(original)));
  assert.deepEqual(Buffer.from(sealed.policyDigest), Buffer.from(sha256(new TextEncoder().encode(policyText))));
  assert.equal(sealed.originalEntry, readElf(original).entry);
  const patched = Uint8Array.from(bytes);
  const segment = readElf(bytes).segments.findLast((entry) => entry.type === 1);
  patched[(segment?.offset ?? 0) + 60] = 0x90;
  assert.equal(inspectElf(patched)?.intact, false);
  const opened = Uint8Array.from(bytes);
  new DataView(opened.buffer).setBigUint64(24, BigInt(sealed.originalEntry), true);
  assert.match(inspectElf(opened)?.warnings.join() ?? '', /starts unconfined/);
});

test('go version still reads the build info of a sealed Go program', { skip: missingTools('go') }, () => {
  const sealed = program('buildinfo', seal(buildProgram(GO_BUILDS[0] as Build, 'uname.go', folder).bytes).bytes);
  assert.match(execFileSync('go', ['version', sealed], { encoding: 'utf8' }), /: go1\.\d+/);
});
