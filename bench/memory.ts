/**
 * Whether a recorder grows: its resident memory after 30 s, and at the end of a recording of a program that calls as fast as it can and
 * starts children (bench/busy.c), by both backends at the same time. RssAnon is its own memory, without files.
 *
 *     node build/bench/memory.js [SECONDS]
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const FIRST_LOOK_S = 30;

const seconds = Number(process.argv[2] ?? 300);
const folder = mkdtempSync(join(tmpdir(), 'selkie-bench-'));
const busy = join(folder, 'busy');
const here = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

execFileSync('gcc', ['-O2', '-o', busy, here('bench/busy.c')]);

/** In MiB. */
function memoryOf(pid: number): string {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  const field = (name: string) => Number(new RegExp(`^${name}:\\s*(\\d+)`, 'm').exec(status)?.[1] ?? Number.NaN) / 1024;
  return `${field('VmRSS').toFixed(1)} MiB (RssAnon ${field('RssAnon').toFixed(1)})`;
}

async function watch(backend: string): Promise<void> {
  const policy = join(folder, `${backend}.yaml`);
  const words = [here('bin/selkie'), 'record', '--json', '--backend', backend, '-o', policy, busy, String(seconds)];
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'ignore', 'pipe'] });
  let summary = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    summary += text;
  });
  const looks: string[] = [];
  for (const at of [FIRST_LOOK_S, seconds - 2])
    setTimeout(() => looks.push(`${memoryOf(child.pid ?? 0)} at ${at} s`), 1000 * at);
  const status = await new Promise((resolve) => child.once('exit', resolve));
  if (status !== 0) throw new Error(`${backend}: ${status}: ${summary}`);
  const calls = (JSON.parse(summary) as { calls: number }).calls;
  console.log(`${backend}: ${looks.join(', ')}; ${calls} calls, ${Math.round(calls / seconds)} a second`);
}

await Promise.all(['ebpf', 'notify'].map(watch));
rmSync(folder, { recursive: true });
