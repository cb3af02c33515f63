/**
 * What seeing calls by eBPF adds to a program's own time: `selkie record --backend ebpf` beside a running bpftrace that counts
 * raw_syscalls by number. The program is timed from inside the observation: by a shell's `date` before and after it. Medians of an interleaved run.
 *
 *     node build/bench/ebpf.js [ROUNDS]
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const rounds = Number(process.argv[2] ?? 5);
const folder = mkdtempSync(join(tmpdir(), 'selkie-bench-'));
const selkie = fileURLToPath(new URL('../../bin/selkie', import.meta.url));
const times = join(folder, 'times');

const programs: { readonly [name: string]: string } = {
  'dd 400k': 'dd if=/dev/zero of=/dev/null bs=1 count=200000 status=none',
  find: 'find /usr/lib/python3',
  'node -e 0': 'node -e 0',
};

/** A shell that leaves the nanoseconds that a command took. */
const timed = (command: string): readonly string[] => [
  'sh',
  '-c',
  `a=$(date +%s%N); ${command} > /dev/null; b=$(date +%s%N); echo $((b - a)) > ${times}`,
];

function timeMs(prefix: readonly string[], command: string): number {
  const [program = '', ...words] = [...prefix, ...timed(command)];
  execFileSync(program, words, { stdio: 'ignore' });
  return Number(readFileSync(times, 'utf8')) / 1e6;
}

/** Counts in the kernel until it is ended. */
async function startBpftrace(): Promise<ChildProcess> {
  const script = 'tracepoint:raw_syscalls:sys_enter { @[args->id] = count(); } BEGIN { printf("ready\\n"); }';
  const child = spawn('bpftrace', ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'] });
  await new Promise((resolve) => child.stdout?.once('data', resolve));
  child.stdout?.resume();
  await new Promise((resolve) => setTimeout(resolve, 500));
  return child;
}

async function underBpftrace(command: string): Promise<number> {
  const child = await startBpftrace();
  const gone = new Promise((resolve) => child.once('exit', resolve));
  const ms = timeMs([], command);
  child.kill('SIGINT');
  await gone;
  return ms;
}

const recording = (backend: string): readonly string[] => {
  const policy = join(folder, 'policy.yaml');
  return [process.execPath, selkie, 'record', '-q', '--force', '--backend', backend, '-o', policy];
};

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

for (const [name, command] of Object.entries(programs)) {
  const ways: { readonly [way: string]: () => number | Promise<number> } = {
    native: () => timeMs([], command),
    ebpf: () => timeMs(recording('ebpf'), command),
    notify: () => timeMs(recording('notify'), command),
    bpftrace: () => underBpftrace(command),
    strace: () => timeMs(['strace', '-f', '-o', '/dev/null'], command),
  };
  const all = new Map<string, number[]>(Object.keys(ways).map((way) => [way, []]));
  for (let round = 0; round < rounds; round += 1)
    for (const [way, run] of Object.entries(ways)) all.get(way)?.push(await run());
  const of = (way: string) => median(all.get(way) ?? []);
  const factor = (of('ebpf') - of('native')) / (of('bpftrace') - of('native'));
  const line = Object.keys(ways).map((way) => `${way} ${of(way).toFixed(0)} ms`);
  console.log(`${name}: ${line.join(', ')}; added, ebpf/bpftrace: ${factor.toFixed(2)}`);
}
rmSync(folder, { recursive: true });
