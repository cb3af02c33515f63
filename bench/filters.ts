/**
 * The profile of Debian's golang-github-containers-common, for x86_64 alone and with i386 and x32, compiled by Selkie and by libseccomp: how
 * long the programs are, how much of them runs, how many calls the kernel's bitmap takes, and what the kernel needs to install them and to ask
 * them. All times are medians of one interleaved run; ratios are to Selkie. Selkie's compile time is with its proof.
 *
 *     node build/bench/filters.js [ROUNDS] [--json]
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { constantAllowed } from '../src/bpf/constant-allow.ts';
import type { Program } from '../src/bpf/instruction.ts';
import { interpret } from '../src/bpf/interpret.ts';
import { compile } from '../src/compile/compile.ts';
import { ARCHES, type ArchName } from '../src/facts/arches.ts';
import { LATEST_RELEASE, largestNumber, syscallName, syscallNumber } from '../src/facts/syscalls.ts';
import { DOCKER_CAPS } from '../src/formats/oci/names.ts';
import { readProfileText } from '../src/formats/oci/read.ts';
import { resolvePolicy } from '../src/policy/resolve.ts';
import type { ResolvedPolicy } from '../src/policy/resolved.ts';
import { cannotJudge, inForce, judge, type Profile, profileText } from '../test/support/oci-rules.ts';
import { type CallTime, type TimedCall, timeAttach, timeCalls } from './timings.ts';

const PROFILE = '/usr/share/containers/seccomp.json';
const CAPS = DOCKER_CAPS;
const KERNEL = '6.1';

interface Compared {
  readonly name: string;
  readonly arches: readonly ArchName[];
  readonly profile: Profile;
}

/** The profile with its sub-architectures, and without. */
function profiles(): readonly Compared[] {
  const profile = JSON.parse(readFileSync(PROFILE, 'utf8')) as Profile & { archMap?: unknown };
  const { archMap: _, ...alone } = profile;
  return [
    { name: 'd1: x86_64', arches: ['x86_64'], profile: alone },
    { name: 'd3: x86_64, i386, x32', arches: ['x86_64', 'i386', 'x32'], profile },
  ];
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

function subjectsOf({ profile, arches }: Compared): Subject[] {
  const options = { arch: 'x86_64', caps: CAPS, kernel: KERNEL, file: PROFILE } as const;
  const ours = compileTimed(resolvePolicy(readProfileText(profileText(profile), options).policy), 200);
  if (cannotJudge() !== false) return [ours];
  const entries = inForce(profile, 'x86_64', CAPS);
  const others = ([1, 2] as const).map((optimize) => {
    const { program, ns } = judge(profile, entries, arches, { optimize, repeats: 30 });
    return { name: `libseccomp O${optimize}`, program, compileUs: ns / 1e3 };
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

function print(
  profile: string,
  subjects: readonly Subject[],
  figures: { readonly [figure: string]: readonly number[] },
): void {
  const cells = (values: readonly string[]): string => values.map((value) => value.padStart(24)).join('');
  console.log(`${profile.padEnd(40)}${cells(subjects.map(({ name }) => name))}`);
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
const rounds = Number(words.find((word) => /^\d+$/.test(word)) ?? 300);
const folder = mkdtempSync(join(tmpdir(), 'selkie-bench-'));
try {
  for (const compared of profiles()) {
    const subjects = subjectsOf(compared);
    const figures = measure(subjects, folder, rounds);
    const names = subjects.map(({ name }) => name);
    if (words.includes('--json')) console.log(JSON.stringify({ profile: compared.name, names, figures }));
    else print(compared.name, subjects, figures);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
