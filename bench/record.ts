/**
 * What recording costs: dd with 400,000 calls, native, under the least C recorder on the same interface (bench/rec_min.c), under Selkie, and
 * under strace; interleaved, free and pinned to one CPU. Prints the median added time in ms and the factors.
 *
 *     node build/bench/record.js [ROUNDS]
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const rounds = Number(process.argv[2] ?? 5);
const folder = mkdtempSync(join(tmpdir(), 'selkie-bench-'));
const minimal = join(folder, 'rec_min');
const script = join(folder, 'record.mjs');
const source = fileURLToPath(new URL('../../bench/rec_min.c', import.meta.url));
const recorder = new URL('../src/record/record.js', import.meta.url).href;

execFileSync('gcc', ['-O2', '-o', minimal, source]);
writeFileSync(
  script,
  `import { record } from '${recorder}'; const { calls } = await record({ command: process.argv.slice(2) });
if (calls < 400000) throw new Error(String(calls));`,
);

const DD = ['dd', 'if=/dev/zero', 'of=/dev/null', 'bs=1', 'count=200000', 'status=none'];
const ways: { readonly [name: string]: readonly string[] } = {
  native: DD,
  c: [minimal, ...DD],
  selkie: [process.execPath, script, ...DD],
  strace: ['strace', '-f', '-o', '/dev/null', ...DD],
};

function timeMs(command: readonly string[]): number {
  const [program = '', ...args] = command;
  const begin = process.hrtime.bigint();
  const { status } = spawnSync(program, args, { stdio: 'ignore' });
  if (status !== 0) throw new Error(`${command.join(' ')}: ${status}`);
  return Number(process.hrtime.bigint() - begin) / 1e6;
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

for (const [label, prefix] of [
  ['free', []],
  ['pinned', ['taskset', '-c', '1']],
] as const) {
  const times = new Map<string, number[]>(Object.keys(ways).map((name) => [name, []]));
  for (let round = 0; round < rounds; round += 1)
    for (const [name, command] of Object.entries(ways)) times.get(name)?.push(timeMs([...prefix, ...command]));
  const of = (name: string) => median(times.get(name) ?? []);
  const added = (name: string) => of(name) - of('native');
  const line = Object.keys(ways).map((name) => `${name} ${of(name).toFixed(0)} ms`);
  const factors = `selkie/c ${(added('selkie') / added('c')).toFixed(2)}, strace/selkie ${(added('strace') / added('selkie')).toFixed(1)}`;
  console.log(`${label}: ${line.join(', ')}; added: ${factors}`);
}
rmSync(folder, { recursive: true });
