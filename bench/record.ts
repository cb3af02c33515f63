/**
 * What recording by notification costs: native, under the least C recorder on the same interface (bench/rec_min.c), and under `selkie record`,
 * interleaved, free and pinned to one CPU; under strace once. Programs are timed from inside the observation (bench/timed.c), without the
 * start of the recorder, and as whole commands, with it. Prints medians, what is added to native, and the factors between that.
 *
 *     node build/bench/record.js [ROUNDS [WORD]]
 */
import { join } from 'node:path';
import { buildC, folder, median, PROGRAMS, SELKIE, type TimedProgram, timeMs, wholeMs } from './own-time.ts';

const [rounds = '5', wanted = ''] = process.argv.slice(2);
process.env.GOMAXPROCS = '2';

const DD_400K: TimedProgram = [1, 'dd', 'if=/dev/zero', 'of=/dev/null', 'bs=1', 'count=200000', 'status=none'];
const programs: { readonly [name: string]: TimedProgram } = { ...PROGRAMS, 'dd 200k×2': DD_400K };
const policy = join(folder, 'policy.yaml');
const ways: { readonly [name: string]: readonly string[] } = {
  native: [],
  C: [buildC('rec_min')],
  selkie: [process.execPath, SELKIE, 'record', '-q', '--force', '--backend', 'notify', '-o', policy],
};
const STRACE = ['strace', '-f', '-o', '/dev/null'];
const cpus: { readonly [name: string]: readonly string[] } = { free: [], pinned: ['taskset', '-c', '1'] };

/** What each way adds, by its times in ms. */
function line(kind: string, times: Readonly<Record<string, readonly number[]>>): string {
  const of = (way: string) => median(times[way] ?? []);
  const added = (way: string) => of(way) - of('native');
  const factor = (added('selkie') / added('C')).toFixed(2);
  const words = ['C', 'selkie'].map((way) => `${way} +${added(way).toFixed(2)}`);
  return `${kind} native ${of('native').toFixed(2)} ms, ${words.join(', ')}, factor ${factor}`;
}

function compare(label: string, prefix: readonly string[], program: TimedProgram): void {
  const [, ...command] = program;
  const names = Object.keys(ways);
  const own: Record<string, number[]> = Object.fromEntries(names.map((name) => [name, []]));
  const whole: Record<string, number[]> = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = 0; round < Number(rounds); round += 1)
    for (const [name, recorder] of Object.entries(ways)) {
      own[name]?.push(...timeMs([...prefix, ...recorder], program).wall);
      whole[name]?.push(wholeMs([...prefix, ...recorder, ...command]));
    }
  const strace = median(timeMs([...prefix, ...STRACE], [1, ...command]).wall) - median(own.native ?? []);
  console.log(`${label}: ${line('own', own)}; ${line('whole', whole)}; strace, once: +${strace.toFixed(2)}`);
}

for (const [name, program] of Object.entries(programs))
  if (name.includes(wanted))
    for (const [where, prefix] of Object.entries(cpus)) compare(`${name}, ${where}`, prefix, program);
