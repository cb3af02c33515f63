import { type Probe, type ProbeStep, proberElf } from '../elf/stubs/prober-x86-64.ts';
import { syscallNumber } from '../facts/syscalls.ts';
import * as abi from './abi.ts';
import { unsupportedMachine } from './libc.ts';
import { type Answers, type ProbeAnswer, readAnswers, refusalOf } from './prober.ts';
import { TrialFiles } from './trial-files.ts';

/** Timing calls with and without a filter, in processes of their own. */

export interface TimedCall {
  readonly nr: number;
  /** Six; the call must be harmless however often it is made. */
  readonly args: readonly bigint[];
}

/** Nanoseconds a call: medians, and the median of the differences of each round. */
export interface Timing {
  readonly without: number;
  readonly with: number;
  readonly difference: number;
}

/** How often each call is timed with and without the filter, by turns. */
const ROUNDS = 9;
/** Timings in one process, and calls of one timing. */
const TIMINGS = 6;
const CALLS = 500;
const CLOCK_MONOTONIC = 1;
const SLEEP_NS = 20_000_000n;

/**
 * Times calls.
 *
 * @param filters - encoded instructions, oldest first; together they must answer these calls by allow, log or errno
 * @returns one timing a call, or why nothing could be measured
 */
export function timeCalls(filters: readonly Uint8Array[], calls: readonly TimedCall[]): readonly Timing[] | string {
  const problem =
    unsupportedMachine() ?? (process.arch === 'arm64' ? 'found linux on arm64, wanted linux on x64' : undefined);
  if (problem !== undefined) return problem;
  const files = TrialFiles.open(proberElf([]));
  if (!files) return 'no program of ours can be started here';
  try {
    const nsPerCycle = calibrate(ask(files, { clock: { steps: clockSteps() } }).of('clock'));
    if (typeof nsPerCycle === 'string') return nsPerCycle;
    const timings: Timing[] = [];
    for (const call of calls) {
      const timing = timeCall(files, filters, call, nsPerCycle);
      if (typeof timing === 'string') return timing;
      timings.push(timing);
    }
    return timings;
  } finally {
    files.remove();
  }
}

function ask(files: TrialFiles, probes: Readonly<Record<string, Probe>>): Answers<string> {
  const path = files.add('timer', proberElf(Object.values(probes)));
  return readAnswers(probes, files.start(path, []).output);
}

/** Clock and counter, a sleep, clock and counter: nine results. */
function clockSteps(): readonly ProbeStep[] {
  const read: readonly ProbeStep[] = [
    { nr: number('clock_gettime'), args: [CLOCK_MONOTONIC, { memory: 0 }] },
    { read: 'cycles' },
    { read: 0 },
    { read: 8 },
  ];
  const bytes = new Uint8Array(new BigUint64Array([0n, SLEEP_NS]).buffer);
  return [...read, { nr: number('nanosleep'), args: [{ bytes }, 0] }, ...read];
}

function number(name: string): number {
  return syscallNumber('x86_64', name) as number;
}

/** Nanoseconds of one cycle of the counter. */
function calibrate(answer: ProbeAnswer): number | string {
  const [clock, cycles, seconds, ns, , , laterCycles, laterSeconds, laterNs] = answer.results as number[];
  if (clock !== 0 || laterNs === undefined) return `clock_gettime: ${refusalOf(answer, 0)}`;
  const passed = ((laterSeconds as number) - (seconds as number)) * 1e9 + laterNs - (ns as number);
  return passed / ((laterCycles as number) - (cycles as number));
}

function timeCall(
  files: TrialFiles,
  filters: readonly Uint8Array[],
  call: TimedCall,
  nsPerCycle: number,
): Timing | string {
  const timings: readonly ProbeStep[] = Array.from({ length: TIMINGS }, () => ({ times: CALLS, ...call }));
  const install: readonly ProbeStep[] = [
    { nr: abi.NR.prctl, args: [abi.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0] },
    ...filters.map((filter) => ({ nr: abi.NR.seccomp, args: [abi.SECCOMP_SET_MODE_FILTER, 0, { filter }] })),
  ];
  const probes: Record<string, Probe> = {};
  for (let round = 0; round < ROUNDS; round += 1) {
    probes[`without${round}`] = { steps: timings };
    probes[`with${round}`] = { steps: [...install, ...timings] };
  }
  const answers = ask(files, probes);
  const fault = faultOf(answers.of('with0'), install.length);
  if (fault) return fault;
  const ns = (name: string, first: number): number =>
    (median(answers.of(name).results.slice(first)) * nsPerCycle) / CALLS;
  const rounds = Array.from({ length: ROUNDS }, (_, round) => {
    const [plain, filtered] = [ns(`without${round}`, 0), ns(`with${round}`, install.length)];
    return { plain, filtered };
  });
  return {
    without: median(rounds.map(({ plain }) => plain)),
    with: median(rounds.map(({ filtered }) => filtered)),
    difference: median(rounds.map(({ plain, filtered }) => filtered - plain)),
  };
}

/** What went wrong in a process that has `first` steps before its timings: no_new_privs and the installations. */
function faultOf(answer: ProbeAnswer, first: number): string | undefined {
  const { results, signal } = answer;
  const refused = results.slice(0, first).findIndex((result) => result !== 0);
  if (refused >= 0) return `${refused === 0 ? 'prctl' : 'seccomp'}: ${refusalOf(answer, refused)}`;
  if (results.length === first + TIMINGS) return undefined;
  return results.length === 0
    ? `the process that was timed did not start: ${refusalOf(answer, 0)}`
    : `a filter ended the process that was timed: ${signal ?? 'it did not finish'}`;
}

/** NaN of nothing. */
function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}
