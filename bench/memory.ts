/**
 * Whether a recorder grows: its resident memory every 30 s of a recording of a program that calls as fast as it can and starts threads and
 * children (bench/busy.c), by backends at the same time. RssAnon is its own memory, without files.
 *
 *     node build/bench/memory.js [SECONDS [ROUNDS [BACKEND...]]]      a child after so many rounds of some fifty calls
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const LOOK_S = 30;

const [seconds = '300', rounds = '1000', ...backends] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'selkie-bench-'));
const busy = join(folder, 'busy');
const here = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

execFileSync('gcc', ['-O2', '-pthread', '-o', busy, here('bench/busy.c')]);

/** In MiB. */
function memoryOf(pid: number): string {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  const field = (name: string) => Number(new RegExp(`^${name}:\\s*(\\d+)`, 'm').exec(status)?.[1] ?? Number.NaN) / 1024;
  return `${field('VmRSS').toFixed(1)} (${field('RssAnon').toFixed(1)})`;
}

async function watch(backend: string): Promise<void> {
  const policy = join(folder, `${backend}.yaml`);
  const words = [here('bin/selkie'), 'record', '--json', '--backend', backend, '-o', policy, busy, seconds, rounds];
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'ignore', 'pipe'] });
  let summary = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    summary += text;
  });
  const looks: string[] = [];
  const timer = setInterval(() => looks.push(memoryOf(child.pid ?? 0)), 1000 * LOOK_S);
  const status = await new Promise((resolve) => child.once('exit', resolve));
  clearInterval(timer);
  if (status !== 0) throw new Error(`${backend}: ${status}: ${summary}`);
  const calls = (JSON.parse(summary) as { calls: number }).calls;
  const rate = Math.round(calls / Number(seconds));
  console.log(`${backend}: MiB (RssAnon) every ${LOOK_S} s: ${looks.join(', ')}; ${calls} calls, ${rate} a second`);
}

await Promise.all((backends.length > 0 ? backends : ['ebpf', 'notify']).map(watch));
rmSync(folder, { recursive: true });
