import assert from 'node:assert/strict';
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { BAD_POLICIES } from '../policy/bad-policies.ts';
import { scratchFolder } from '../support/folders.ts';
import { selkie } from '../support/selkie.ts';

/** Bad files of every kind, given to the command that writes something: a clear error, within bounds, and nothing is lost. */

const GOOD = 'selkie: 1\nsets: 1\narches: [x86_64]\ndefault: errno(EPERM)\nsyscalls:\n  allow: [read]\n';
const RULES = GOOD.slice(0, -'[read]\n'.length);

/** Written by the command itself at its end: processor time in microseconds, largest resident size in KiB. */
const METER = `process.on('exit', () => require('fs').writeFileSync(process.env.SELKIE_TEST_USAGE, JSON.stringify(process.resourceUsage())));`;

/** Runs `selkie seal` and asserts that it refuses as it should. @returns its message */
function refused(context: TestContext, policy: string, binary: string): string {
  const folder = scratchFolder(context);
  const [meter, usage, out] = [join(folder, 'meter.cjs'), join(folder, 'usage.json'), join(folder, 'out')];
  writeFileSync(meter, METER);
  writeFileSync(out, 'what was there');
  const env = { ...process.env, NODE_OPTIONS: `--require=${meter}`, SELKIE_TEST_USAGE: usage };
  const finished = selkie(['seal', '--force', '-p', policy, binary, '-o', out], { env });
  assert.equal(finished.status, 2, finished.stderr);
  assert.match(finished.stderr, /^selkie seal: [^\n]{10,400}\n$/, 'one line that a person can read');
  assert.equal(readFileSync(out, 'utf8'), 'what was there');
  const { userCPUTime, systemCPUTime, maxRSS } = JSON.parse(readFileSync(usage, 'utf8'));
  assert.ok(
    userCPUTime + systemCPUTime < 1e6,
    `within a second of processor time: ${userCPUTime} + ${systemCPUTime} µs`,
  );
  assert.ok(maxRSS < 200 * 1024, `within 200 MiB: ${maxRSS} KiB`);
  return finished.stderr;
}

function sparse(folder: string, size: number, begin: string | Uint8Array = ''): string {
  const file = join(folder, 'sparse');
  writeFileSync(file, begin);
  truncateSync(file, size);
  return file;
}

const texts: readonly (readonly [claim: string, content: string | Uint8Array, message: RegExp])[] = [
  ['20,000 brackets', `${RULES}${'['.repeat(20_000)}`, /bad\.yaml:6:\d+: .*deeper than/],
  ['10 MB of rules', `${RULES}\n${'    - read\n'.repeat(1_000_000)}`, /bad\.yaml.*larger than 1048576 bytes/],
  ['10 MB in one word', 'a'.repeat(10_000_000), /bad\.yaml.*larger than 1048576 bytes/],
  ['1 MB of commas', `${RULES}[${','.repeat(1_000_000)}]\n`, /bad\.yaml:6:\d+: /],
  ['aliases that multiply', `a: &a [x]\n${'b: &b [*a, *a, *a]\n'.repeat(40)}`, /bad\.yaml:1:4: .*anchors/],
  ['NUL bytes', `${GOOD}\0\0\0`, /bad\.yaml:\d+:\d+: /],
  ['text that is not UTF-8', Uint8Array.of(0x73, 0xff, 0xfe, 0x0a), /bad\.yaml".*not UTF-8/],
  ['UTF-16', Buffer.from(`\ufeff${GOOD}`, 'utf16le'), /bad\.yaml".*not UTF-8/],
  ['an executable', readFileSync('/bin/true'), /bad\.yaml/],
];

for (const [claim, content, message] of texts)
  test(`seal refuses a policy that is ${claim}`, (context) => {
    const file = join(scratchFolder(context), 'bad.yaml');
    writeFileSync(file, content);
    assert.match(refused(context, file, '/bin/true'), message);
  });

for (const { claim, text, at } of BAD_POLICIES.filter((_, index) => index % 10 === 0))
  test(`seal refuses a policy with ${claim}, and says where`, (context) => {
    const file = join(scratchFolder(context), 'bad.yaml');
    writeFileSync(file, text);
    assert.ok(refused(context, file, '/bin/true').startsWith(`selkie seal: ${file}:${at}: `));
  });

test('seal refuses a policy that is a sparse file of 3 GB, a folder, a device without end, or nowhere', (context) => {
  const folder = scratchFolder(context);
  assert.match(refused(context, sparse(folder, 3e9, GOOD), '/bin/true'), /sparse".*larger than/);
  assert.match(refused(context, folder, '/bin/true'), /it is a directory/);
  assert.match(refused(context, '/dev/zero', '/bin/true'), /\/dev\/zero".*larger than/);
  assert.match(refused(context, join(folder, 'none.yaml'), '/bin/true'), /none\.yaml": no such file/);
});

test('seal refuses what is no program for it, whatever its size, and leaves the output as it was', (context) => {
  const folder = scratchFolder(context);
  const policy = join(folder, 'good.yaml');
  writeFileSync(policy, GOOD);
  const written = (content: string | Uint8Array): string => {
    const file = join(folder, 'bin');
    writeFileSync(file, content);
    return file;
  };
  const changed = (offset: number, ...bytes: readonly number[]): Uint8Array => {
    const file = readFileSync('/bin/true');
    file.set(bytes, offset);
    return file;
  };
  const refuse = (file: string) => refused(context, policy, file);
  assert.match(refuse(written('')), /the file is empty/);
  assert.match(refuse(written('#!/bin/sh\nexit 0\n')), /script|\/bin\/sh/);
  for (const begin of ['hello\n', 'MZ\x90\0', Uint8Array.of(0xcf, 0xfa, 0xed, 0xfe)])
    assert.match(refuse(written(begin)), /begins with/);
  assert.match(refuse(written(readFileSync('/bin/true').subarray(0, 40))), /ends after 40 bytes/);
  assert.match(refuse(written(readFileSync('/bin/true').subarray(0, 9000))), /bin: /);
  assert.match(refuse(written(changed(18, 183, 0))), /AArch64|aarch64|arm64/i);
  assert.match(refuse(written(changed(4, 1))), /32/);
  assert.match(refuse(written(changed(32, 0xff, 0xff, 0xff, 0xff))), /bin: /);
  assert.match(refuse(sparse(folder, 3e9)), /larger than/);
  assert.match(refuse(sparse(folder, 3e9, '\x7fELF')), /larger than/);
  assert.match(refuse('/dev/zero'), /regular file/);
  assert.match(refuse(folder), /regular file/);
  assert.match(refuse(join(folder, 'none')), /none.*no such file/);
});
