/**
 * What seeing calls by eBPF adds to a program's own wall time: `selkie record --backend ebpf` beside a bpftrace that counts raw_syscalls by
 * number, started before. Programs are timed from inside the observation (bench/timed.c), so neither start is part of it; what a whole
 * `selkie record` takes is printed beside. Medians of one interleaved run.
 *
 *     node build/bench/ebpf.js [ROUNDS] [WORD]
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildGo } from '../test/support/go.ts';

const rounds = Number(process.argv[2] ?? 7);
const wanted = process.argv[3] ?? '';
const folder = mkdtempSync(join(tmpdir(), 'selkie-bench-'));
const here = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const selkie = here('bin/selkie');
const [timer, hello, server, times] = ['timed', 'hello', 'server', 'times'].map((name) => join(folder, name)) as [
  string,
  string,
  string,
  string,
];
const source = join(folder, 'hello.c');

execFileSync('gcc', ['-O2', '-o', timer, here('bench/timed.c')]);
writeFileSync(source, '#include <stdio.h>\nint main(void) { puts("hello"); return 0; }\n');
writeFileSync(`${hello}.go`, 'package main\n\nimport "fmt"\n\nfunc main() { fmt.Println("hello") }\n');
execFileSync('go', ['build', '-o', hello, `${hello}.go`]);
buildGo('go', 'go-http', server);

/** Commands, and how often one observation runs them. */
const programs: { readonly [name: string]: readonly [runs: number, ...command: string[]] } = {
  'dd 10k×2': [20, 'dd', 'if=/dev/zero', 'of=/dev/null', 'bs=1', 'count=10000', 'status=none'],
  'gcc -O1': [5, 'gcc', '-O1', '-o', join(folder, 'compiled'), source],
  'Go hello': [20, hello],
  'Go HTTP 2000': [3, server, '-requests', '2000'],
  'node -e 0': [5, 'node', '-e', '0'],
  find: [5, 'find', '/usr/lib/python3'],
};

/** In ms: wall and processor time of each run; and how long all of it took. */
interface Times {
  readonly wall: number[];
  readonly processor: number[];
  readonly whole: number;
}

/** Runs a program under a prefix. */
function timeMs(prefix: readonly string[], [runs, ...command]: readonly [number, ...string[]]): Times {
  rmSync(times, { force: true });
  const [program = '', ...words] = [...prefix, timer, String(runs), times, ...command];
  const begin = process.hrtime.bigint();
  execFileSync(program, words, { stdio: 'ignore' });
  const whole = Number(process.hrtime.bigint() - begin) / 1e6;
  const lines = readFileSync(times, 'utf8').trimEnd().split('\n');
  const [wall, processor] = [0, 1].map((column) => lines.map((line) => Number(line.split(' ')[column]) / 1e6));
  return { wall: wall ?? [], processor: processor ?? [], whole };
}

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

async function underBpftrace(program: readonly [number, ...string[]]): Promise<Times> {
  const child = await startBpftrace();
  const gone = new Promise((resolve) => child.once('exit', resolve));
  const result = timeMs([], program);
  child.kill('SIGINT');
  await gone;
  return result;
}

const recording = [
  process.execPath,
  selkie,
  'record',
  '-q',
  '--force',
  '--backend',
  'ebpf',
  '-o',
  join(folder, 'policy.yaml'),
];
const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

async function compare(name: string, program: readonly [number, ...string[]]): Promise<void> {
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

for (const [name, program] of Object.entries(programs)) if (name.includes(wanted)) await compare(name, program);
rmSync(folder, { recursive: true });
