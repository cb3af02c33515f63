/**
 * What seeing calls by eBPF adds to a program's own time, beside a bpftrace that counts raw_syscalls by number and runs already: of a `selkie record --cgroup` that
 * runs already too, and of `selkie record --backend ebpf COMMAND`, which starts the program. Programs are timed from inside the observation (bench/timed.c), so that no
 * start is part of it; what the whole of the latter takes is printed beside. Medians of one interleaved run.
 *
 *     node build/bench/ebpf.js [ROUNDS] [WORD]
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cgroupRoot } from '../src/kernel/cgroups.ts';
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

/** A command, and how often one observation runs it. */
type Program = readonly [runs: number, ...command: string[]];

const programs: { readonly [name: string]: Program } = {
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
function timeMs(prefix: readonly string[], [runs, ...command]: Program): Times {
  rmSync(times, { force: true });
  const [program = '', ...words] = [...prefix, timer, String(runs), times, ...command];
  const begin = process.hrtime.bigint();
  execFileSync(program, words, { stdio: 'ignore' });
  const whole = Number(process.hrtime.bigint() - begin) / 1e6;
  const lines = readFileSync(times, 'utf8').trimEnd().split('\n');
  const [wall, processor] = [0, 1].map((column) => lines.map((line) => Number(line.split(' ')[column]) / 1e6));
  return { wall: wall ?? [], processor: processor ?? [], whole };
}

/** From when an observer has loaded a program: neither says when all are attached. */
const ATTACH_MS = 1500;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Runs a program while an observer runs already, which SIGINT ends. */
async function timeBeside(observer: readonly string[], prefix: readonly string[], program: Program): Promise<Times> {
  const [word = '', ...words] = observer;
  const child = spawn(word, words, { stdio: 'ignore' });
  while (child.exitCode === null && !hasProgram(child.pid)) await pause(50);
  await pause(ATTACH_MS);
  if (child.exitCode !== null) throw new Error(`${observer.join(' ')}: exit code ${child.exitCode}`);
  const result = timeMs(prefix, program);
  // bpftrace does not hear all of them.
  for (; child.exitCode === null && child.signalCode === null; await pause(100)) child.kill('SIGINT');
  return result;
}

function hasProgram(pid: number | undefined): boolean {
  const { status } = spawnSync('sh', ['-c', 'grep -q ^prog_type: /proc/$0/fdinfo/* 2>/dev/null', `${pid}`]);
  return status === 0;
}

const bpftrace = ['bpftrace', '-e', 'tracepoint:raw_syscalls:sys_enter { @[args->id] = count(); }'];
const recording = [process.execPath, selkie, 'record', '-q', '--force', '-o', join(folder, 'policy.yaml')];
const cgroup = join(cgroupRoot(), `selkie-bench-${process.pid}`);
const inCgroup = ['sh', '-c', 'echo 0 >"$0/cgroup.procs" && exec "$@"', cgroup];

/** Ways to be observed; `command` and `running` are Selkie's. */
const ways: { readonly [way: string]: (program: Program) => Times | Promise<Times> } = {
  native: (program) => timeMs([], program),
  command: (program) => timeMs([...recording, '--backend', 'ebpf'], program),
  running: (program) => timeBeside([...recording, '--cgroup', cgroup], inCgroup, program),
  bpftrace: (program) => timeBeside(bpftrace, [], program),
};

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

async function compare(name: string, program: Program): Promise<void> {
  const all: { readonly [way: string]: Times[] } = Object.fromEntries(Object.keys(ways).map((way) => [way, []]));
  for (let round = 0; round < rounds; round += 1)
    for (const [way, time] of Object.entries(ways)) all[way]?.push(await time(program));
  const whole = (way: string) => median((all[way] ?? []).map((times) => times.whole));
  const lines = (['wall', 'processor'] as const).map((kind) => {
    const of = (way: string) => median((all[way] ?? []).flatMap((times) => times[kind]));
    const native = of('native');
    const percent = (way: string) =>
      `${of(way) < native ? '' : '+'}${((100 * (of(way) - native)) / native).toFixed(1)} %`;
    const factor = (way: string) => ((of(way) - native) / (of('bpftrace') - native)).toFixed(2);
    const own = ['running', 'command'].map((way) => `${way} ${percent(way)} (factor ${factor(way)})`).join(', ');
    return `${kind} ${native.toFixed(2)} ms: bpftrace ${percent('bpftrace')}, ${own}`;
  });
  console.log(`${name}: ${lines.join('; ')}; whole command: +${(whole('command') - whole('native')).toFixed(0)} ms`);
}

mkdirSync(cgroup);
try {
  for (const [name, program] of Object.entries(programs)) if (name.includes(wanted)) await compare(name, program);
} finally {
  rmdirSync(cgroup);
  rmSync(folder, { recursive: true });
}
