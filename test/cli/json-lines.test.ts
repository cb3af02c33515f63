import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { scratchFolder } from '../support/folders.ts';
import { type Finished, selkie } from '../support/selkie.ts';

const POLICY = `selkie: 1
arches: [x86_64, i386]
default: errno(EPERM)
syscalls:
  allow: [read]
only:
  x86_64:
    allow:
      - socket: domain == AF_INET && u64(protocol) == 0xffffffffffffffff
      - lseek: offset == 9007199254740993
      - mmap: ip == 0x7fffffffffff
  i386:
    log:
      - socketcall: call == 1
`;

function simulated(context: TestContext, input: string, words: readonly string[] = []): Finished {
  const file = join(scratchFolder(context), 'p.yaml');
  writeFileSync(file, POLICY);
  return selkie(['simulate', '-p', file, '--json-lines', ...words], { input });
}

const ANSWERS: readonly (readonly [line: string, action: string])[] = [
  ['{"arch":"x86_64","nr":0}', 'allow'],
  ['{"nr":1,"args":[1,0,0],"ip":0}', 'errno(EPERM)'],
  ['{"call":"socket","args":["AF_INET",0,"0xffffffffffffffff"]}', 'allow'],
  ['{"call":"socket","args":[2,0,18446744073709551615]}', 'allow'],
  ['{"call":"socket","args":[2,0,-1]}', 'allow'],
  ['{"call":"socket","args":[2,0,18446744073709551614]}', 'errno(EPERM)'],
  ['{"call":"lseek","args":[0,9007199254740993]}', 'allow'],
  ['{"call":"lseek","args":[0,9007199254740992]}', 'errno(EPERM)'],
  ['{"call":"lseek","args":[0,"9007199254740993"]}', 'allow'],
  ['{"call":"mmap","ip":"0x7fffffffffff"}', 'allow'],
  ['{"arch":"i386","call":"socketcall","args":[1]}', 'log'],
  ['{"arch":"i386","nr":102,"args":[2]}', 'errno(EPERM)'],
  ['{"arch":"aarch64","call":"read"}', 'kill_process'],
  ['{"nr":-1}', 'kill_process'],
];

test('simulate --json-lines: one answer a line, 64-bit values exact', (context) => {
  const { status, stdout, stderr } = simulated(context, ANSWERS.map(([line]) => `${line}\n`).join('\n'));
  assert.deepEqual([status, stderr], [1, '']);
  const answers = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    answers.map(({ action, permitted, instructions }) => [action, permitted, instructions > 0]),
    ANSWERS.map(([, action]) => [action, action === 'allow' || action === 'log', true]),
  );
});

test('simulate --json-lines: exit code 0 when all calls are permitted, the last line without its newline', (context) => {
  const { status, stdout } = simulated(context, '{"nr":0}\n{"nr":0}');
  assert.deepEqual([status, stdout.split('\n').length], [0, 3]);
});

const BAD_LINES: readonly (readonly [line: string, message: RegExp])[] = [
  ['socket()', /no JSON/],
  ['[]', /wanted a JSON object/],
  ['{}', /either "nr" or "call"/],
  ['{"nr":1,"call":"read"}', /either "nr" or "call"/],
  ['{"nr":1,"arg":[]}', /"arg" is no key of a call: did you mean "args"/],
  ['{"nr":4294967296}', /"nr" has 32 bits/],
  ['{"nr":1.5}', /1\.5 is no value/],
  ['{"call":"sockt"}', /"sockt" is no system call of x86_64: did you mean "socket"/],
  ['{"arch":"x86","nr":1}', /no ABI is called "x86"/],
  ['{"nr":1,"args":[0,0,0,0,0,0,0]}', /at most 6/],
  ['{"nr":1,"args":["AF_NET"]}', /AF_NET/],
  ['{"nr":1,"args":[18446744073709551616]}', /does not fit 64 bits/],
  ['{"nr":1,"args":[null]}', /null is no value/],
  ['{"nr":1,"args":[1e30]}', /is no value/],
];

for (const [line, message] of BAD_LINES)
  test(`simulate --json-lines: ${line} ends it with its number and exit code 2`, (context) => {
    const { status, stdout, stderr } = simulated(context, `{"nr":0}\n\n${line}\n{"nr":0}\n`);
    assert.equal(status, 2, stderr);
    assert.equal(stdout.split('\n').length, 2, 'the answers before it are there');
    assert.match(stderr, /^selkie simulate: Cannot simulate line 3: [^\n]*\n$/);
    assert.match(stderr, message);
  });

test('simulate --json-lines: a line without end is refused, calls as arguments too', (context) => {
  const { status, stderr } = simulated(context, ' '.repeat(200_000));
  assert.equal(status, 2);
  assert.match(stderr, /Cannot read line 1: it has more than 65536 characters/);
  assert.equal(simulated(context, '', ['read()']).status, 2);
});

test('simulate --json-lines: 15,000 calls, an answer for each', (context) => {
  const input = Array.from({ length: 15_000 }, (_, at) => `{"nr":${at % 2},"args":[${at}]}\n`).join('');
  const { stdout } = simulated(context, input);
  const lines = stdout.trimEnd().split('\n');
  assert.equal(lines.length, 15_000);
  assert.ok(lines.every((line, at) => line.includes('"allow"') === (at % 2 === 0)));
});
