/**
 * What seeing calls by eBPF adds to a program's own time, beside a bpftrace that counts raw_syscalls by number and runs already: of a `selkie record --cgroup` that
 * runs already too, and of `selkie record --backend ebpf COMMAND`, which starts the program. Programs are timed from inside the observation (bench/timed.c), so that no
 * start is part of it; what the whole of the latter takes is printed beside. Medians of one interleaved run.
 *
 *     node build/bench/ebpf.js [ROUNDS] [WORD]
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { cgroupRoot } from '../src/kernel/cgroups.ts';
import { folder, median, PROGRAMS, SELKIE, type TimedProgram, type Times, timeMs } from './own-time.ts';

const rounds = Number(process.argv[2] ?? 7);
const wanted = process.argv[3] ?? '';

/** From when an observer has loaded a program: neither says when all are attached. */
const ATTACH_MS = 1500;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Runs a program while an observer runs already, which SIGINT ends. */
async function timeBeside(
  observer: readonly string[],
  prefix: readonly string[],
  program: TimedProgram,
): Promise<Times> {
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
const recording = [process.execPath, SELKIE, 'record', '-q', '--force', '-o', join(folder, 'policy.yaml')];
const cgroup = join(cgroupRoot(), `selkie-bench-${process.pid}`);
const inCgroup = ['sh', '-c', 'echo 0 >"$0/cgroup.procs" && exec "$@"', cgroup];

/** Ways to be observed; `command` and `running` are Selkie's. */
const ways: { readonly [way: string]: (program: TimedProgram) => Times | Promise<Times> } = {
  native: (program) => timeMs([], program),
  command: (program) => timeMs([...recording, '--backend', 'ebpf'], program),
  running: (program) => timeBeside([...recording, '--cgroup', cgroup], inCgroup, program),
  bpftrace: (program) => timeBeside(bpftrace, [], program),
};

async function compare(name: string, program: TimedProgram): Promise<void> {
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
  for (const [name, program] of Object.entries(PROGRAMS)) if (name.includes(wanted)) await compare(name, program);
} finally {
  rmdirSync(cgroup);
}
