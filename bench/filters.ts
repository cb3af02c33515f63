/**
 * One policy compiled by Selkie and by libseccomp: how long the programs are, how much of them runs, how many calls the kernel's bitmap
 * takes, and what the kernel needs to install them and to ask them. All times are medians of one interleaved run; ratios are to Selkie.
 *
 *     node build/bench/filters.js [ROUNDS] [--json]
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { constantAllowed } from '../src/bpf/constant-allow.ts';
import type { Program } from '../src/bpf/instruction.ts';
import { interpret } from '../src/bpf/interpret.ts';
import { compile } from '../src/compile/compile.ts';
import { ARCHES } from '../src/facts/arches.ts';
import { LATEST_RELEASE, largestNumber, syscallName, syscallNumber } from '../src/facts/syscalls.ts';
import { parsePolicy } from '../src/policy/parse.ts';
import { resolvePolicy } from '../src/policy/resolve.ts';
import type { ResolvedPolicy } from '../src/policy/resolved.ts';
import { buildPeer, missingLibseccomp } from '../test/support/libseccomp.ts';
import { toPeerPolicy } from '../test/support/libseccomp-rules.ts';
import { type CallTime, type TimedCall, timeAttach, timeCalls } from './timings.ts';

/** The policy that is compared: the only place that says where it comes from. */
function policyOf(): ResolvedPolicy {
  const file = fileURLToPath(new URL('../../bench/filters.yaml', import.meta.url));
  return resolvePolicy(parsePolicy(readFileSync(file, 'utf8')));
}

interface Subject {
  readonly name: string;
  readonly program: Program;
  /** Of a whole compilation from the resolved policy on. */
  readonly compileUs: number;
}

const HOT = 'read write futex epoll_wait recvfrom sendto clock_nanosleep mmap munmap close openat newfstatat'.split(
  ' ',
);
/** What calls that container filters test are usually given. */
const USUAL: { readonly [name: string]: readonly bigint[] } = {
  clone: [0x3d_0f00n],
  socket: [2n, 0x8_0001n],
  personality: [0xffff_ffffn],
};
const number = (name: string): number => syscallNumber('x86_64', name) as number;
/** nfsservctl has no code in any kernel, so that it is as cheap without a filter as a refusal. */
const TIMED: { readonly [what: string]: TimedCall } = {
  'allowed by number': { nr: number('getppid') },
  'allowed by argument': { nr: number('personality'), args: USUAL.personality as readonly bigint[] },
  refused: { nr: number('nfsservctl') },
};

const TOKEN = ARCHES.x86_64.token;
const TABLE = largestNumber('x86_64', LATEST_RELEASE) + 1;
const EVERY = Array.from({ length: TABLE }, (_, nr) => syscallName('x86_64', nr) ?? '').filter((name) => name !== '');

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

function compileTimed(policy: ResolvedPolicy, repeats: number): Subject {
  const times = Array.from({ length: repeats }, () => {
    const begin = process.hrtime.bigint();
    compile(policy);
    return Number(process.hrtime.bigint() - begin) / 1e3;
  });
  return { name: 'selkie', program: compile(policy), compileUs: median(times) };
}

function subjectsOf(policy: ResolvedPolicy, folder: string): Subject[] {
  const ours = compileTimed(policy, 30);
  if (missingLibseccomp() !== false) return [ours];
  const peer = buildPeer(folder);
  const rules = toPeerPolicy(policy);
  const others = ([1, 2] as const).map((optimize) => {
    const { program, ns } = peer.compile(rules, optimize, 30);
    return { name: `libseccomp ${peer.version} O${optimize}`, program, compileUs: ns / 1e3 };
  });
  return [ours, ...others];
}

/** Mean instructions that a call executes, if the program runs. */
function meanSteps(program: Program, names: readonly string[], args: (name: string) => readonly bigint[]): number {
  const steps = names.map((name) => {
    const given = args(name);
    const all = Array.from({ length: 6 }, (_, index) => given[index] ?? 0n);
    return interpret(program, { nr: number(name), arch: TOKEN, instructionPointer: 0n, args: all }).steps;
  });
  return steps.reduce((sum, each) => sum + each, 0) / steps.length;
}

/** Programs of one policy answer alike; where they do not, their times say nothing. */
function checkAnswers(rows: readonly (readonly CallTime[])[]): void {
  // The parent is the same process, so that getppid answers the same too.
  const answers = new Set(rows.map((row) => row.map(({ answer }) => answer).join()));
  if (answers.size !== 1) throw new Error(`the programs answer differently: ${[...answers].join(' | ')}`);
}

/** What is measured of each subject, by the words of the table. */
function measure(subjects: readonly Subject[], folder: string, rounds: number): { [figure: string]: number[] } {
  const programs = subjects.map(({ program }) => program);
  const usual = (name: string): readonly bigint[] => USUAL[name] ?? [];
  const sum = (bits: Uint8Array): number => bits.reduce((total, bit) => total + bit, 0);
  const attach = timeAttach(folder, programs, rounds);
  const calls = timeCalls(folder, programs, Object.values(TIMED), { rounds, batch: 200 });
  const [bare = [], ...rows] = calls;
  checkAnswers(rows);
  const added = Object.keys(TIMED).map((what, call) => [
    `added ns, ${what}`,
    rows.map((row) => (row[call]?.ns ?? Number.NaN) - (bare[call]?.ns ?? Number.NaN)),
  ]);
  return {
    instructions: programs.map((program) => program.length),
    'executed, hot calls': programs.map((program) => meanSteps(program, HOT, usual)),
    'executed, all calls, arguments 0': programs.map((program) => meanSteps(program, EVERY, () => [])),
    'executed, all calls, usual arguments': programs.map((program) => meanSteps(program, EVERY, usual)),
    'calls in the bitmap': programs.map((program) => sum(constantAllowed(program, TOKEN, TABLE))),
    'compile us': subjects.map(({ compileUs }) => compileUs),
    'attach us': attach.map((ns) => ns / 1e3),
    ...Object.fromEntries(added),
  };
}

function print(subjects: readonly Subject[], figures: { readonly [figure: string]: readonly number[] }): void {
  const cells = (values: readonly string[]): string => values.map((value) => value.padStart(24)).join('');
  console.log(`${''.padEnd(40)}${cells(subjects.map(({ name }) => name))}`);
  for (const [figure, values] of Object.entries(figures)) {
    const first = values[0] as number;
    const shown = values.map((value, index) => {
      const ratio = index === 0 ? '' : ` (${(value / first).toFixed(2)})`;
      return `${value.toFixed(1)}${ratio}`;
    });
    console.log(`${figure.padEnd(40)}${cells(shown)}`);
  }
}

const words = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'selkie-bench-'));
try {
  const subjects = subjectsOf(policyOf(), folder);
  const figures = measure(subjects, folder, Number(words.find((word) => /^\d+$/.test(word)) ?? 300));
  if (words.includes('--json')) console.log(JSON.stringify({ names: subjects.map(({ name }) => name), figures }));
  else print(subjects, figures);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
