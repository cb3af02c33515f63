// What runc would install for a profile, made by the system's libseccomp (test/programs/oci-rules.c): the judge of how Selkie reads profiles.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { decodeProgram } from '../../src/bpf/codec.ts';
import type { Program } from '../../src/bpf/instruction.ts';
import { ARCHES, type ArchName, X32_SYSCALL_BIT } from '../../src/facts/arches.ts';
import type { SeccompData } from '../../src/facts/seccomp.ts';
import { syscallNames, syscallNumber } from '../../src/facts/syscalls.ts';
import { cannotCompile } from './tools.ts';

export interface Arg {
  index: number;
  value: bigint | number;
  valueTwo?: bigint | number;
  op: string;
}

export interface Entry {
  names: string[];
  action: string;
  errnoRet?: number | null;
  args?: Arg[] | null;
  includes?: { caps?: string[]; arches?: string[] };
  excludes?: { caps?: string[]; arches?: string[] };
  comment?: string;
}

export interface Profile {
  defaultAction: string;
  defaultErrnoRet?: number;
  architectures?: string[];
  syscalls: Entry[];
}

/** Reason to skip what needs libseccomp's headers. */
export function cannotJudge(): false | string {
  return cannotCompile('-lseccomp', '-include', 'seccomp.h');
}

/** JSON with exact 64-bit numbers. */
export function profileText(profile: Profile): string {
  return JSON.stringify(profile, (_, value) => (typeof value === 'bigint' ? `${value}n` : value), 1).replace(
    /"([0-9]+)n"/g,
    '$1',
  );
}

let built: string | undefined;

function program(): string {
  if (built !== undefined) return built;
  built = join(mkdtempSync(join(tmpdir(), 'selkie-oci-')), 'oci-rules');
  const source = fileURLToPath(new URL('../../../test/programs/oci-rules.c', import.meta.url));
  execFileSync('gcc', ['-O1', '-o', built, source, '-lseccomp']);
  return built;
}

const ACTIONS: Readonly<Record<string, number>> = {
  SCMP_ACT_KILL: 0,
  SCMP_ACT_KILL_THREAD: 0,
  SCMP_ACT_KILL_PROCESS: 0x8000_0000,
  SCMP_ACT_TRAP: 0x0003_0000,
  SCMP_ACT_ERRNO: 0x0005_0000,
  SCMP_ACT_NOTIFY: 0x7fc0_0000,
  SCMP_ACT_TRACE: 0x7ff0_0000,
  SCMP_ACT_LOG: 0x7ffc_0000,
  SCMP_ACT_ALLOW: 0x7fff_0000,
};
// enum scmp_compare
const OPERATORS = ['NE', 'LT', 'LE', 'EQ', 'GE', 'GT', 'MASKED_EQ'].map((name) => `SCMP_CMP_${name}`);
const NAMES: Readonly<Record<ArchName, string>> = {
  x86_64: 'x86_64',
  i386: 'x86',
  x32: 'x32',
  aarch64: 'aarch64',
  arm: 'arm',
  riscv64: 'riscv64',
  ppc64le: 'ppc64le',
  s390x: 's390x',
  mips64el: 'mipsel64',
  loongarch64: 'loongarch64',
};

function action(name: string, errnoRet: number | null | undefined): number {
  const data = ['SCMP_ACT_ERRNO', 'SCMP_ACT_TRACE'].includes(name) ? (errnoRet ?? 1) : 0;
  return ((ACTIONS[name] as number) | data) >>> 0;
}

const NATIVE: { readonly [K in ArchName]?: string } = {
  x86_64: 'amd64',
  aarch64: 'arm64',
  s390x: 's390x',
  ppc64le: 'ppc64le',
};

/** What container engines leave out, written again from their documentation. */
export function inForce(profile: Profile, arch: ArchName, caps: readonly string[]): Entry[] {
  const native = NATIVE[arch] as string;
  return profile.syscalls.filter(({ includes = {}, excludes = {} }) => {
    if (includes.arches?.length && !includes.arches.includes(native)) return false;
    if (includes.caps?.some((cap) => !caps.includes(cap))) return false;
    return !excludes.arches?.includes(native) && !excludes.caps?.some((cap) => caps.includes(cap));
  });
}

export interface Judged {
  readonly program: Program;
  /** Names that this libseccomp does not know, and rules that it refused (`NAME ERRNO`). */
  readonly unknown: readonly string[];
  readonly refused: readonly string[];
  /** Median time of making the filter and its program, where repeats were asked for. */
  readonly ns: number;
}

export interface JudgeOptions {
  /** SCMP_FLTATR_CTL_OPTIMIZE. */
  readonly optimize?: 1 | 2;
  readonly repeats?: number;
}

/** Feeds libseccomp as runc does; `entries` are those in force. The ABIs' own libseccomp is the native one: x86-64 here. */
export function judge(
  profile: Profile,
  entries: readonly Entry[],
  arches: readonly ArchName[],
  { optimize = 1, repeats }: JudgeOptions = {},
): Judged {
  const otherwise = action(profile.defaultAction, profile.defaultErrnoRet);
  const [first, ...others] = arches.map((arch) => NAMES[arch]);
  const lines = [
    `default ${otherwise}`,
    `optimize ${optimize}`,
    `only ${first}`,
    ...others.map((name) => `arch ${name}`),
  ];
  for (const entry of entries) {
    const code = action(entry.action, entry.errnoRet);
    if (code !== otherwise) for (const name of entry.names) lines.push(...ruleLines(name, code, entry.args ?? []));
  }
  const { status, stdout, stderr } = spawnSync(program(), repeats === undefined ? [] : [`${repeats}`], {
    input: `${lines.join('\n')}\n`,
  });
  if (status !== 0) throw new Error(`oci-rules: ${stderr}`);
  const said = stderr.toString().split('\n');
  const about = (word: string): string[] =>
    said.filter((line) => line.startsWith(`${word} `)).map((line) => line.slice(word.length + 1));
  return {
    program: decodeProgram(stdout, ARCHES[arches[0] as ArchName].littleEndian),
    unknown: about('unknown'),
    refused: about('refused'),
    ns: Number(about('ns')[0]),
  };
}

function ruleLines(name: string, code: number, args: readonly Arg[]): string[] {
  const words = args.map(
    ({ index, op, value, valueTwo }) => `${index} ${OPERATORS.indexOf(op) + 1} ${value} ${valueTwo ?? 0}`,
  );
  const repeated = new Set(args.map(({ index }) => index)).size < args.length;
  if (!repeated) return [`rule ${code} ${name} ${words.join(' ')}`.trim()];
  return words.map((word) => `rule ${code} ${name} ${word}`);
}

const ALL = 0xffff_ffff_ffff_ffffn;

/** Calls round everything that a profile compares, and every number with arguments of 0, on each ABI; one of no ABI. */
export function* boundaryCalls(profile: Profile, arches: readonly ArchName[]): Iterable<SeccompData> {
  for (const arch of arches) {
    const { token, numberOffset } = ARCHES[arch];
    const known = syscallNames(arch).map((name) => syscallNumber(arch, name) as number);
    const numbers = new Set([
      ...known,
      ...known.map((nr) => nr + 1),
      ...Array.from({ length: 600 }, (_, nr) => nr + numberOffset),
    ]);
    for (const nr of numbers) yield call(token, nr, []);
    for (const entry of profile.syscalls)
      for (const name of entry.names) yield* callsOf(arch, name, valuesOf(profile, name));
  }
  yield call(ARCHES.x86_64.token, X32_SYSCALL_BIT, []);
  for (const { token } of Object.values(ARCHES)) yield call(token, 1, []);
  yield call(0x1234, 1, []);
}

function call(arch: number, nr: number, args: readonly bigint[]): SeccompData {
  return { arch, nr, instructionPointer: 0n, args: Array.from({ length: 6 }, (_, index) => args[index] ?? 0n) };
}

/** For each argument that rules of the call compare, the values round what they compare it to. */
function valuesOf(profile: Profile, name: string): ReadonlyMap<number, ReadonlySet<bigint>> {
  const values = new Map<number, Set<bigint>>();
  for (const { args } of profile.syscalls.filter(({ names }) => names.includes(name)))
    for (const { index, value, valueTwo } of args ?? []) {
      const set = values.get(index) ?? new Set([0n]);
      values.set(index, set);
      for (const edge of [BigInt(value), BigInt(valueTwo ?? 0)])
        for (const near of [edge - 1n, edge, edge + 1n, edge ^ (1n << 32n), edge | (0xffn << 40n)]) set.add(near & ALL);
    }
  return values;
}

function* callsOf(
  arch: ArchName,
  name: string,
  values: ReadonlyMap<number, ReadonlySet<bigint>>,
): Iterable<SeccompData> {
  const { token } = ARCHES[arch];
  const targets = ['socketcall', 'ipc'].map((each) => syscallNumber(arch, each));
  const number = syscallNumber(arch, name);
  for (const args of combinations([...values])) {
    if (number !== undefined) yield call(token, number, args);
    for (const nr of targets)
      for (let value = 0n; nr !== undefined && value < 26n; value += 1n)
        yield call(token, nr, [value, ...args.slice(1)]);
  }
}

function* combinations(values: readonly (readonly [number, ReadonlySet<bigint>])[]): Iterable<bigint[]> {
  const [head, ...rest] = values;
  if (!head) {
    yield Array.from({ length: 6 }, () => 0n);
    return;
  }
  for (const args of combinations(rest)) for (const value of head[1]) yield args.with(head[0], value);
}
