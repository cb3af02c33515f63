import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { inspectFile, sealFile, unsealFile } from '../../src/apply/seal.ts';
import { type Build, buildProgram, C_BUILDS } from '../support/builds.ts';
import { denying, NR } from '../support/filters.ts';
import { temporaryFolder } from '../support/folders.ts';
import { missingTools } from '../support/tools.ts';

const skip = missingTools('gcc');
const isRoot = process.getuid?.() === 0;
const folder = temporaryFolder();
const program = denying(NR.uname);
const policyText = 'selkie: 1\n';
let original = new Uint8Array();

before(() => {
  if (skip === false) original = Uint8Array.from(buildProgram(C_BUILDS[0] as Build, 'uname.c', folder).bytes);
});

/** A fresh folder with a copy of the program in it. */
function place(mode = 0o755): { binary: string; folder: string } {
  const own = fs.mkdtempSync(join(folder, 'case-'));
  const binary = join(own, 'program');
  fs.writeFileSync(binary, original);
  fs.chmodSync(binary, mode);
  return { binary, folder: own };
}

test('the default output is BINARY.sealed with the same mode; the binary stays as it was', { skip }, () => {
  const { binary, folder: own } = place(0o751);
  const result = sealFile({ binary, program, policyText });
  assert.equal(result.path, `${binary}.sealed`);
  assert.equal(fs.statSync(result.path).mode & 0o7777, 0o751);
  assert.equal(spawnSync(result.path).status, 8);
  assert.equal(result.size, fs.statSync(result.path).size);
  assert.ok(fs.readFileSync(binary).equals(original));
  assert.deepEqual(fs.readdirSync(own).sort(), ['program', 'program.sealed']);
  assert.equal(inspectFile(result.path)?.policyText, policyText);
  assert.equal(inspectFile(binary), undefined);
});

test('a copy away from the libraries beside its original gets a note, one that stays gets none', { skip }, () => {
  const source = 'int main(void) { return 0; }';
  const noted = (flags: readonly string[], output: string): boolean => {
    const binary = join(place().folder, 'beside');
    assert.equal(spawnSync('gcc', ['-x', 'c', '-', '-o', binary, ...flags], { input: source }).status, 0);
    const { warnings } = sealFile({ binary, program, policyText, output: join(binary, '..', output) });
    return warnings.some((line) => line.includes('beside its own file ($ORIGIN)'));
  };
  const elsewhere = `../elsewhere-${process.pid}`;
  for (const flags of ['-Wl,-rpath,$ORIGIN/../lib', '-Wl,--disable-new-dtags,-rpath,/x:$ORIGIN']) {
    assert.ok(noted([flags], `${elsewhere}-${flags.length}`), flags);
    assert.ok(!noted([flags], 'here'), flags);
  }
  assert.ok(!noted(['-Wl,-rpath,/usr/lib'], `${elsewhere}-plain`));
});

test('in place, through a symbolic link, while the program runs: the link stays and the original comes back', {
  skip,
}, () => {
  const { binary, folder: own } = place();
  const link = join(own, 'link');
  fs.symlinkSync('program', link);
  sealFile({ binary: link, program, policyText, inPlace: true });
  assert.ok(fs.lstatSync(link).isSymbolicLink());
  assert.equal(spawnSync(link).status, 8);
  unsealFile({ binary: link, inPlace: true });
  assert.ok(fs.readFileSync(binary).equals(original));
  assert.equal(fs.statSync(binary).mode & 0o7777, 0o755);
});

test('an output that exists is refused and untouched, and replaced by force', { skip }, () => {
  const { binary } = place();
  fs.writeFileSync(`${binary}.sealed`, 'mine');
  assert.throws(() => sealFile({ binary, program, policyText }), { name: 'UsageError', code: 'output_exists' });
  assert.equal(fs.readFileSync(`${binary}.sealed`, 'utf8'), 'mine');
  sealFile({ binary, program, policyText, force: true });
  assert.equal(spawnSync(`${binary}.sealed`).status, 8);
});

test('a dangling link as output is not followed', { skip }, () => {
  const { binary, folder: own } = place();
  fs.symlinkSync(join(own, 'elsewhere'), `${binary}.sealed`);
  assert.throws(() => sealFile({ binary, program, policyText }), { code: 'output_exists' });
  assert.ok(!fs.existsSync(join(own, 'elsewhere')));
});

test('setuid and setgid programs are refused with the reason', { skip }, () => {
  for (const [mode, word] of [
    [0o4755, 'setuid'],
    [0o2755, 'setgid'],
  ] as const) {
    const { binary } = place(mode);
    const refusal = { name: 'ElfError', code: 'elf_privileged', message: new RegExp(`program with ${word},`) };
    assert.throws(() => sealFile({ binary, program, policyText }), refusal);
    assert.ok(!fs.existsSync(`${binary}.sealed`));
  }
});

test('a program with file capabilities is refused with the reason', {
  skip: skip || missingTools('setcap') || (isRoot ? false : 'needs root'),
}, () => {
  const { binary } = place();
  assert.equal(spawnSync('setcap', ['cap_net_raw+ep', binary]).status, 0);
  const refusal = { name: 'ElfError', code: 'elf_privileged', message: /program with file capabilities,/ };
  assert.throws(() => sealFile({ binary, program, policyText }), refusal);
  assert.throws(() => sealFile({ binary, program, policyText, inPlace: true, force: true }), refusal);
  assert.ok(fs.readFileSync(binary).equals(original));
});

test('a sealed file is refused, and by force sealed anew from its original', { skip }, () => {
  const { binary } = place();
  const { path, size } = sealFile({ binary, program, policyText });
  const once = fs.readFileSync(path);
  assert.throws(() => sealFile({ binary: path, program, policyText }), { name: 'ElfError', message: /sealed already/ });
  assert.throws(() => sealFile({ binary: path, program, policyText, inPlace: true }), { message: /--force/ });
  assert.ok(fs.readFileSync(path).equals(once));
  const again = sealFile({
    binary: path,
    program: denying(NR.socket),
    policyText: 'other',
    inPlace: true,
    force: true,
  });
  assert.equal(again.originalSize, original.length);
  assert.ok(Math.abs(again.size - size) < 64, 'one filter, not two');
  assert.equal(inspectFile(path)?.policyText, 'other');
  assert.equal(spawnSync(path).status, 7, 'uname is allowed now');
  unsealFile({ binary: path, inPlace: true });
  assert.ok(fs.readFileSync(path).equals(original));
});

test('missing files, folders, devices and bad binaries are refused by path; no output, no temporary file', {
  skip,
}, () => {
  const { binary, folder: own } = place();
  const output = join(own, 'out');
  fs.writeFileSync(join(own, 'script'), '#!/bin/sh\n');
  fs.writeFileSync(join(own, 'half'), original.subarray(0, 5000));
  const rows: readonly (readonly [string, string])[] = [
    [join(own, 'nowhere'), 'no_such_file'],
    [own, 'not_a_file'],
    ['/dev/null', 'not_a_file'],
    [join(own, 'script'), 'elf_script'],
    [join(own, 'half'), 'elf_damaged'],
  ];
  for (const [path, code] of rows) {
    assert.throws(
      () => sealFile({ binary: path, program, policyText, output }),
      (error) => (error as { code: string }).code === code && (error as Error).message.includes(path),
    );
  }
  assert.throws(() => sealFile({ binary, program, policyText, output: join(own, 'no', 'out') }), {
    code: 'no_such_file',
  });
  assert.throws(() => sealFile({ binary, program, policyText, output, inPlace: true }), { code: 'output_twice' });
  assert.throws(() => unsealFile({ binary, output }), { code: 'elf_not_sealed' });
  assert.deepEqual(fs.readdirSync(own).sort(), ['half', 'program', 'script']);
});

test('owner and extended attributes are kept', { skip: skip || (isRoot ? false : 'needs root') }, (context) => {
  const { binary } = place();
  fs.chownSync(binary, 65534, 65534);
  const python = `import os,sys; os.setxattr(sys.argv[1], 'user.selkie', b'kept')`;
  if (spawnSync('python3', ['-c', python, binary]).status !== 0) return context.skip('no extended attributes here');
  const { path, warnings } = sealFile({ binary, program, policyText });
  const { uid, gid } = fs.statSync(path);
  assert.deepEqual([uid, gid], [65534, 65534]);
  const read = spawnSync('python3', ['-c', `import os,sys; print(os.getxattr(sys.argv[1], 'user.selkie'))`, path]);
  assert.equal(read.stdout.toString().trim(), `b'kept'`);
  assert.deepEqual(warnings, []);
});

test('unsealing takes the .sealed off the name, and refuses a file that was changed', { skip }, () => {
  const { binary } = place();
  const { path } = sealFile({ binary, program, policyText });
  fs.rmSync(binary);
  assert.equal(unsealFile({ binary: path }).path, binary);
  assert.ok(fs.readFileSync(binary).equals(original));
  const bytes = fs.readFileSync(path);
  bytes[0x1000] = (bytes[0x1000] ?? 0) ^ 1;
  fs.writeFileSync(path, bytes);
  assert.throws(() => unsealFile({ binary: path, force: true }), { code: 'elf_altered' });
  assert.ok(fs.readFileSync(binary).equals(original));
});
