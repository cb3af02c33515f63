/**
 * What seeing calls by eBPF adds to a program's own wall time: `selkie record --backend ebpf` beside a bpftrace that counts raw_syscalls by
 * number, started before. Programs are timed from inside the observation (bench/timed.c), so neither start is part of it; what a whole
 * `selkie record` takes is printed beside. Medians of one interleaved run.
 *
 *     node build/bench/ebpf.js [ROUNDS] [WORD]
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { folder, median, PROGRAMS, SELKIE, type TimedProgram, type Times, timeMs } from './own-time.ts';

const rounds = Number(process.argv[2] ?? 7);
const wanted = process.argv[3] ?? '';

/** It says that it attaches, not when it has: what a BEGIN prints is lost at times. */
const ATTACH_MS = 1500;

/** Counts in the kernel until it is ended. */
async function startBpftrace(): Promise<ChildProcess> {
  const script = 'tracepoint:raw_syscalls:sys_enter { @[args->id] = count(); }';
  const child = spawn('bpftrace', ['-B', 'line', '-e', script], { stdio: ['ignore', 'pipe', 'ignore'] });
  await new Promise((resolve, reject) => {
    child.stdout?.once('data', resolve);
    child.once('exit', () => reject(new Error('bpftrace ended before it was ready')));
  });
  child.stdout?.resume();
  await new Promise((resolve) => setTimeout(resolve, ATTACH_MS));
  return child;
}

async function underBpftrace(program: TimedProgram): Promise<Times> {
  const child = await startBpftrace();
  const gone = new Promise((resolve) => child.once('exit', resolve));
  const result = timeMs([], program);
  child.kill('SIGINT');
  await gone;
  return result;
}

const policy = join(folder, 'policy.yaml');
const recording = [process.execPath, SELKIE, 'record', '-q', '--force', '--backend', 'ebpf', '-o', policy];

async function compare(name: string, program: TimedProgram): Promise<void> {
  const all: { readonly [way: string]: Times[] } = { native: [], ebpf: [], bpftrace: [] };
  for (let round = 0; round < rounds; round += 1) {
    all.native?.push(timeMs([], program));
    all.ebpf?.push(timeMs(recording, program));
    all.bpftrace?.push(await underBpftrace(program));
  }
  const of = (way: string, of: 'wall' | 'processor') => median((all[way] ?? []).flatMap((times) => times[of]));
  const whole = (way: string) => median((all[way] ?? []).map((times) => times.whole));
  const line = (['wall', 'processor'] as const).map((kind) => {
    const [native, ebpf, bpftrace] = ['native', 'ebpf', 'bpftrace'].map((way) => of(way, kind)) as [
      number,
      number,
      number,
    ];
    const percent = (ms: number) => `${ms < native ? '' : '+'}${((100 * (ms - native)) / native).toFixed(1)} %`;
    const factor = ((ebpf - native) / (bpftrace - native)).toFixed(2);
    return `${kind} ${native.toFixed(2)} ms, ebpf ${percent(ebpf)}, bpftrace ${percent(bpftrace)}, factor ${factor}`;
  });
  console.log(`${name}: ${line.join('; ')}; whole record: +${(whole('ebpf') - whole('native')).toFixed(0)} ms`);
}

for (const [name, program] of Object.entries(PROGRAMS)) if (name.includes(wanted)) await compare(name, program);
