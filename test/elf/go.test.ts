import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { detectGo } from '../../src/elf/go.ts';

const programs = fileURLToPath(new URL('../../../test/programs/', import.meta.url));
const work = mkdtempSync(join(tmpdir(), 'selkie-go-'));
after(() => rmSync(work, { recursive: true, force: true }));

function goVersion(command: string): string | undefined {
  try {
    return execFileSync(command, ['version'], { encoding: 'utf8' }).split(' ')[2];
  } catch {
    return undefined;
  }
}

const go = goVersion('go');
const skip = go === undefined ? 'needs Go' : false;
const debianGo = '/usr/lib/go-1.19/bin/go';

function build(program: string, options: { command?: string; cgo?: boolean; flags?: string[] } = {}): Uint8Array {
  const out = join(work, 'built');
  const { command = 'go', cgo = false, flags = [] } = options;
  execFileSync(command, ['build', '-buildvcs=false', ...flags, '-o', out, '.'], {
    cwd: join(programs, program),
    env: { ...process.env, CGO_ENABLED: cgo ? '1' : '0', GOFLAGS: '' },
  });
  return readFileSync(out);
}

test('a pure Go program is recognised, built plainly, stripped, trimmed or as PIE', { skip }, () => {
  const wanted = { version: go, cgo: false };
  assert.deepEqual(detectGo(build('story')), wanted);
  assert.deepEqual(detectGo(build('story', { flags: ['-trimpath', '-ldflags=-s -w'] })), wanted);
  assert.deepEqual(detectGo(build('story', { flags: ['-buildmode=pie'] })), wanted);
  assert.deepEqual(detectGo(build('go-stress/gc', { cgo: true })), wanted, 'CGO_ENABLED=1 without C in the program');
  assert.deepEqual(
    detectGo(build('go-stress/gc', { cgo: true, flags: ['-buildmode=pie', '-ldflags=-linkmode=internal'] })),
    wanted,
  );
});

test('a program that strip took everything from is recognised, without section headers too', { skip }, () => {
  build('story');
  execFileSync('strip', [join(work, 'built')]);
  const bytes = readFileSync(join(work, 'built'));
  assert.deepEqual(detectGo(bytes), { version: go, cgo: false });
  bytes.fill(0, 40, 48);
  bytes.fill(0, 58, 64);
  assert.deepEqual(detectGo(bytes), { version: go, cgo: false });
});

test('a program with a C library in it says so, dynamic or static', { skip }, () => {
  const wanted = { version: go, cgo: true };
  assert.deepEqual(detectGo(build('go-stress/cgo', { cgo: true })), wanted);
  assert.deepEqual(detectGo(build('go-stress/cgo', { cgo: true, flags: ['-ldflags=-s -w'] })), wanted);
  const flags = ['-ldflags=-s -w -linkmode=external -extldflags=-static'];
  assert.deepEqual(detectGo(build('go-stress/cgo', { cgo: true, flags })), wanted);
  assert.deepEqual(detectGo(build('go-http', { cgo: true })), wanted, 'package net brings cgo');
});

test("Debian's Go 1.19 is recognised", { skip: goVersion(debianGo) ? false : 'needs golang-1.19-go' }, () => {
  assert.deepEqual(detectGo(build('story', { command: debianGo })), { version: goVersion(debianGo), cgo: false });
});

test('32-bit programs and AArch64 ones are recognised', { skip }, () => {
  for (const arch of ['386', 'arm64']) {
    const env = process.env.GOARCH;
    process.env.GOARCH = arch;
    try {
      assert.deepEqual(detectGo(build('story')), { version: go, cgo: false }, arch);
    } finally {
      if (env === undefined) delete process.env.GOARCH;
      else process.env.GOARCH = env;
    }
  }
});

test('what Go did not build is not taken for Go', () => {
  for (const file of ['/bin/ls', '/bin/sh', process.execPath])
    assert.equal(detectGo(readFileSync(file)), undefined, file);
  assert.equal(detectGo(new TextEncoder().encode('#!/bin/sh\n')), undefined);
  assert.equal(detectGo(new Uint8Array()), undefined);
});

/** A smallest ELF file with one readable segment that holds the blob. */
function smallest(blob: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(128 + blob.length);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint32(32, 64, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 1, true);
  view.setUint32(64, 1, true);
  view.setUint32(64 + 4, 4, true);
  view.setUint32(64 + 8, 128, true);
  view.setUint32(64 + 16, 0x1000, true);
  view.setUint32(64 + 32, blob.length, true);
  bytes.set(blob, 128);
  return bytes;
}

const magic = [0xff, ...Buffer.from(' Go buildinf:')];

test('the blob is read in both encodings', () => {
  const inline = [...magic, 8, 2, ...new Array<number>(16).fill(0), 8, ...Buffer.from('go1.18.3'), 0];
  assert.deepEqual(detectGo(smallest(inline)), { version: 'go1.18.3', cgo: false });
  const pointed = [...magic, 8, 0, 0x20, 0x10, 0, 0, 0, 0, 0, 0, ...new Array<number>(8).fill(0)];
  const text = [0x30, 0x10, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, ...Buffer.from('go1.13')];
  assert.deepEqual(detectGo(smallest([...pointed, ...text])), { version: 'go1.13', cgo: false });
});

test('a blob that lies about its lengths is no Go', () => {
  for (const length of [[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], [200, 1], [0x80], []]) {
    assert.equal(detectGo(smallest([...magic, 8, 2, ...new Array<number>(16).fill(0), ...length])), undefined);
  }
});

test('damaged and random bytes never throw', () => {
  const whole = smallest([...magic, 8, 2, ...new Array<number>(16).fill(0), 8, ...Buffer.from('go1.18.3'), 0]);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => detectGo(bytes) === undefined));
  const change = fc.tuple(fc.nat(whole.length - 1), fc.nat(255));
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 8 }), fc.nat(whole.length), (changes, size) => {
      const bytes = whole.slice();
      for (const [at, byte] of changes) bytes[at] = byte;
      detectGo(bytes.subarray(0, size));
    }),
    { numRuns: 5000 },
  );
});
