/**
 * What recording costs: dd with 400,000 calls, and a Go HTTP server that answers 2,000 and 20,000 requests; native, under the least C
 * recorder on the same interface (bench/rec_min.c), under `selkie record`, and under strace; interleaved, free and pinned to one CPU. Prints
 * the median times and the factors between the added times.
 *
 *     node build/bench/record.js [ROUNDS]
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildGo } from '../test/support/go.ts';
import { missingTools } from '../test/support/tools.ts';

const rounds = Number(process.argv[2] ?? 5);
const folder = mkdtempSync(join(tmpdir(), 'selkie-bench-'));
const minimal = join(folder, 'rec_min');
const source = fileURLToPath(new URL('../../bench/rec_min.c', import.meta.url));
const selkie = fileURLToPath(new URL('../../bin/selkie', import.meta.url));

execFileSync('gcc', ['-O2', '-o', minimal, source]);

const server = join(folder, 'go-http');
if (missingTools('go') === false) buildGo('go', 'go-http', server);
const programs: { readonly [name: string]: readonly string[] } = {
  dd: ['dd', 'if=/dev/zero', 'of=/dev/null', 'bs=1', 'count=200000', 'status=none'],
  ...(missingTools('go') === false
    ? { 'go-http 2000': [server, '-requests', '2000'], 'go-http 20000': [server, '-requests', '20000'] }
    : {}),
};
const ways: { readonly [name: string]: readonly string[] } = {
  native: [],
  c: [minimal],
  selkie: [process.execPath, selkie, 'record', '-q', '--force', '-o', join(folder, 'policy.yaml')],
  strace: ['strace', '-f', '-o', '/dev/null'],
};
const cpus: { readonly [name: string]: readonly string[] } = { free: [], pinned: ['taskset', '-c', '1'] };

function timeMs(command: readonly string[]): number {
  const [program = '', ...args] = command;
  const begin = process.hrtime.bigint();
  const { status } = spawnSync(program, args, { stdio: 'ignore', env: { ...process.env, GOMAXPROCS: '2' } });
  if (status !== 0) throw new Error(`${command.join(' ')}: ${status}`);
  return Number(process.hrtime.bigint() - begin) / 1e6;
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

function compare(label: string, prefix: readonly string[], command: readonly string[]): void {
  const times = new Map<string, number[]>(Object.keys(ways).map((name) => [name, []]));
  for (let round = 0; round < rounds; round += 1)
    for (const [name, recorder] of Object.entries(ways))
      times.get(name)?.push(timeMs([...prefix, ...recorder, ...command]));
  const of = (name: string) => median(times.get(name) ?? []);
  const added = (name: string) => of(name) - of('native');
  const line = Object.keys(ways).map((name) => `${name} ${of(name).toFixed(0)} ms`);
  const factors = `selkie/c ${(added('selkie') / added('c')).toFixed(2)}, strace/selkie ${(added('strace') / added('selkie')).toFixed(1)}`;
  console.log(`${label}: ${line.join(', ')}; added: ${factors}`);
}

for (const [program, command] of Object.entries(programs))
  for (const [where, prefix] of Object.entries(cpus)) compare(`${program}, ${where}`, prefix, command);
rmSync(folder, { recursive: true });
