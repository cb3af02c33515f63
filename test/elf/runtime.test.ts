import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { detectRuntime } from '../../src/elf/runtime.ts';
import { findExecutable } from '../../src/kernel/command.ts';
import { buildProgram, C_BUILDS, cannotBuild } from '../support/builds.ts';
import { temporaryFolder } from '../support/folders.ts';
import { ROOT } from '../support/selkie.ts';
import { missingTools } from '../support/tools.ts';

const folder = temporaryFolder();

for (const build of C_BUILDS)
  test(`the C library is recognised: ${build.name}`, { skip: cannotBuild(build) }, () => {
    const libc = build.tool === 'musl-gcc' ? 'musl' : 'glibc';
    assert.deepEqual(detectRuntime(buildProgram(build, 'uname.c', folder).bytes), { libc, language: undefined });
  });

test('dynamic musl is recognised', { skip: missingTools('musl-gcc') }, () => {
  const build = { name: 'dynamic musl', tool: 'musl-gcc', flags: [] };
  assert.equal(detectRuntime(buildProgram(build, 'uname.c', folder).bytes)?.libc, 'musl');
});

test('Rust is recognised, stripped too', { skip: missingTools('rustc') }, () => {
  const source = join(ROOT, 'test/programs/rust-stress/stress.rs');
  for (const strip of ['none', 'symbols']) {
    const output = join(folder, `rust-${strip}`);
    execFileSync('rustc', ['-O', '-C', `strip=${strip}`, '-o', output, source], { stdio: 'pipe' });
    assert.deepEqual(detectRuntime(readFileSync(output)), { libc: 'glibc', language: 'rust' });
  }
});

test('Python is recognised, a shell and no ELF file are none', () => {
  if (existsSync('/usr/bin/python3'))
    assert.deepEqual(detectRuntime(readFileSync(realpathSync('/usr/bin/python3'))), {
      libc: 'glibc',
      language: 'python',
    });
  assert.equal(detectRuntime(readFileSync(realpathSync('/bin/sh')))?.language, undefined);
  assert.equal(detectRuntime(new TextEncoder().encode('#!/bin/sh\n')), undefined);
  assert.equal(detectRuntime(new Uint8Array(0)), undefined);
});

test('Java is recognised by each of its launchers, behind links too', { skip: missingTools('java', 'javac') }, () => {
  for (const launcher of ['java', 'javac'])
    assert.deepEqual(detectRuntime(readFileSync(findExecutable(launcher))), { libc: 'glibc', language: 'java' });
});

test('a program that makes a Java virtual machine of its own is recognised', { skip: missingTools('gcc') }, () => {
  const output = join(folder, 'embeds');
  const source =
    'extern int JNI_CreateJavaVM(void *, void *, void *) __attribute__((weak)); int main(void) { return JNI_CreateJavaVM != 0; }';
  execFileSync('gcc', ['-x', 'c', '-o', output, '-'], { input: source });
  assert.equal(detectRuntime(readFileSync(output))?.language, 'java');
});
