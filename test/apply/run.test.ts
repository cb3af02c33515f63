import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { PROBE_ARGUMENT, PROBE_ERRNO, PROBE_OPERATION } from '../../src/facts/seccomp.ts';
import { temporaryFolder } from '../support/folders.ts';

const folder = temporaryFolder();
const RUN = fileURLToPath(new URL('../../src/apply/run.js', import.meta.url));

/** code, jt, jf, k of each instruction. */
type Row = readonly [number, number, number, number];
const LOAD = 0x20;
const JEQ = 0x15;
const RET = 6;
const ALLOW = 0x7fff0000;
const PROBE: readonly Row[] = [
  [LOAD, 0, 0, 0],
  [JEQ, 0, 5, 317],
  [LOAD, 0, 0, 16],
  [JEQ, 0, 3, PROBE_OPERATION],
  [LOAD, 0, 0, 24],
  [JEQ, 0, 1, PROBE_ARGUMENT],
  [RET, 0, 0, 0x00050000 | PROBE_ERRNO],
];
const NO_MKDIR: readonly Row[] = [...PROBE, [LOAD, 0, 0, 0], [JEQ, 0, 1, 83], [RET, 0, 0, 0x50001], [RET, 0, 0, ALLOW]];

const script = join(folder, 'run.mjs');
writeFileSync(
  script,
  `import { execConfined } from ${JSON.stringify(RUN)};
const [rows, ...command] = process.argv.slice(2);
const program = new Uint8Array(JSON.parse(rows).flatMap(([code, jt, jf, k]) => [code, 0, jt, jf, k, k >>> 8, k >>> 16, k >>> 24]));
try { execConfined({ program, command }); } catch (error) { process.exit(error.exitCode ?? 125); }`,
);

function run(rows: readonly Row[], command: readonly string[]) {
  return spawnSync(process.execPath, [script, JSON.stringify(rows), ...command], { encoding: 'utf8' });
}

test('a command runs under the filter with its own output and exit code', () => {
  const made = run(NO_MKDIR, ['sh', '-c', `echo out; mkdir ${folder}/no; exit 9`]);
  assert.equal(made.stdout, 'out\n');
  assert.match(made.stderr, /Operation not permitted/);
  assert.equal(made.status, 9);
});

test('a signal ends it as a signal', () =>
  assert.equal(run(NO_MKDIR, ['sh', '-c', 'kill -TERM $$']).signal, 'SIGTERM'));

test('a filter that does not answer the probe call fails closed with 125', () => {
  const result = run([[RET, 0, 0, ALLOW]], ['echo', 'unconfined']);
  assert.equal(result.status, 125);
  assert.equal(result.stdout, '');
  assert.match(result.stderr, /the filter is not in force: errno 22/);
});

test('a filter that the kernel refuses fails closed with 125', () =>
  assert.equal(run([[LOAD, 0, 0, 2]], ['echo', 'unconfined']).status, 125));

test('a missing command is 127, a file that is no program 126, a script without #! runs in sh', () => {
  assert.equal(run(NO_MKDIR, ['no-such-command']).status, 127);
  assert.equal(run(NO_MKDIR, [folder]).status, 126);
  const file = join(folder, 'script');
  writeFileSync(file, 'echo "script $1"\n', { mode: 0o755 });
  assert.equal(run(NO_MKDIR, [file, 'word']).stdout, 'script word\n');
});

const STATE = `grep -E "Sig(Ign|Blk)" /proc/self/status; for f in $(ls /proc/self/fd); do echo $f $(readlink /proc/$$/fd/$f); done |
  grep -v /proc | sed 's/[0-9]\\{4,\\}//g'; for i in 0 1 2 7; do grep flags /proc/self/fdinfo/$i; done`;

test('signals, descriptors and their flags are those that env(1) gives', () => {
  const state = join(folder, 'state.sh');
  writeFileSync(state, STATE);
  const rows = JSON.stringify(NO_MKDIR);
  const under = (prefix: string) =>
    spawnSync('sh', ['-c', `echo | ${prefix} sh ${state} 7</dev/null 9<${state} | cat`], { encoding: 'utf8' }).stdout;
  const expected = under('env');
  assert.match(expected, /^7 \/dev\/null$/m);
  assert.match(expected, /^9 /m);
  assert.equal(under(`${process.execPath} ${script} '${rows}'`), expected);
});
