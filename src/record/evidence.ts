import * as v from 'valibot';
import { UsageError } from '../base/errors.ts';
import { ARCH_NAMES, type ArchName } from '../facts/arches.ts';
import { errnoName } from '../facts/errnos.ts';
import { selectorsOf } from '../facts/selectors.ts';
import { syscallName } from '../facts/syscalls.ts';
import type { ExecutableCall, Phase } from '../observe/tally.ts';
import type { History } from './history.ts';

/**
 * Evidence: what was observed, kept beside the policy that was made of it. Text: one JSON object a line, for each executable, ABI, system
 * call, phase and condition, sorted, so that a merge reviews well. The first line may tell of the runs instead; see history.ts.
 */

/** The first call of its kind: the address behind its instruction, and that place in a file. */
export interface Site {
  readonly address: bigint;
  readonly module?: string;
  readonly offset?: bigint;
}

/** Values by argument, as much of them as the kernel reads and the selector has bits. */
export type Condition = Readonly<Record<string, bigint>>;

export interface Evidence {
  /** The executable's path when it ran. */
  readonly exe: string;
  readonly arch: ArchName;
  /** Absent where Selkie has no name for `nr`. */
  readonly syscall?: string;
  /** With the x32 bit where the ABI has it. */
  readonly nr: number;
  /** `program` is all behind `start`; with a sign of readiness, what comes before it. */
  readonly phase: Phase;
  /** The values of the call's selectors (`record --args`, facts/selectors.ts); null: it has none, or they are not known. */
  readonly condition: Condition | null;
  /** Recordings that showed it, and calls in all of them. */
  readonly runs: number;
  readonly count: number;
  /** How many of the calls a filter that was already there denied; absent: none that is known of. */
  readonly denied?: number;
  /** Absent where an imported log does not say. */
  readonly site?: Site;
  /** Names of the errors that it returned, sorted; absent where the backend does not see results. */
  readonly errnos?: readonly string[];
}

/** Turns what one run showed into evidence, sorted. */
export function evidenceOf(results: readonly ExecutableCall[]): readonly Evidence[] {
  return sorted(
    results.map(({ exe, arch, nr, phase, count, denied = 0, ip, module, offset, errnos, values }) => {
      const name = syscallName(arch, nr);
      const site = { address: ip, ...(module !== undefined && { module }), ...(offset !== undefined && { offset }) };
      return {
        exe,
        arch,
        ...(name !== undefined && { syscall: name }),
        nr,
        phase,
        condition: conditionOf(arch, name, values),
        runs: 1,
        count,
        ...(denied > 0 && { denied }),
        site,
        ...(errnos !== undefined && { errnos: errnos.map((errno) => errnoName(arch, errno) ?? `${errno}`).sort() }),
      };
    }),
  );
}

function conditionOf(arch: ArchName, name: string | undefined, values: ExecutableCall['values']): Condition | null {
  if (values === undefined || name === undefined) return null;
  return Object.fromEntries(selectorsOf(arch, name).map(({ argument }, index) => [argument, values[index] ?? 0n]));
}

/** Lines of one key are joined. */
const keyOf = (line: Evidence): string =>
  JSON.stringify([line.exe, line.phase, line.arch, line.syscall ?? '', line.nr, ...conditionKey(line.condition)]);

function conditionKey(condition: Condition | null): readonly object[] {
  return condition === null ? [] : [printValues(condition)];
}

/** In the order in which evidence is written. */
function sorted(lines: readonly Evidence[]): readonly Evidence[] {
  const keyed = lines.map((line) => ({ line, key: keyOf(line) }));
  return keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)).map(({ line }) => line);
}

/** Any rule that does not depend on order: addresses of different runs say nothing about time. */
function lesserSite(a: Site | undefined, b: Site | undefined): Site | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return JSON.stringify(printSite(a)) <= JSON.stringify(printSite(b)) ? a : b;
}

/** The sum of any number of recordings, in any order, in memory that grows with kinds of calls alone. */
export class EvidenceUnion {
  readonly #lines = new Map<string, Evidence>();

  add(evidence: readonly Evidence[]): void {
    for (const line of evidence) {
      const key = keyOf(line);
      const known = this.#lines.get(key);
      this.#lines.set(key, known === undefined ? line : join(known, line));
    }
  }

  evidence(): readonly Evidence[] {
    return sorted([...this.#lines.values()]);
  }
}

/** Joins the evidence of several runs, in any order: runs and counts add up, one of the sites stays. */
export function mergeEvidence(...lists: readonly (readonly Evidence[])[]): readonly Evidence[] {
  const union = new EvidenceUnion();
  for (const list of lists) union.add(list);
  return union.evidence();
}

/** Adds two lines of one key up; the sum does not depend on order. */
function join(a: Evidence, b: Evidence): Evidence {
  const { site: _site, denied: _denied, errnos: _errnos, ...kind } = a;
  const denied = (a.denied ?? 0) + (b.denied ?? 0);
  const site = lesserSite(a.site, b.site);
  return {
    ...kind,
    runs: a.runs + b.runs,
    count: a.count + b.count,
    ...(denied > 0 && { denied }),
    ...(site && { site }),
    ...((a.errnos || b.errnos) && { errnos: unionOf(a.errnos, b.errnos) }),
  };
}

function unionOf(a: readonly string[] = [], b: readonly string[] = []): readonly string[] {
  return [...new Set([...a, ...b])].sort();
}

const hex = (value: bigint): string => `0x${value.toString(16)}`;

/** Writes evidence as text; addresses in hexadecimal. */
export function printEvidence(lines: readonly Evidence[], history?: History): string {
  const first = history === undefined ? '' : `${JSON.stringify(history)}\n`;
  const print = (line: Evidence): string =>
    JSON.stringify({
      ...line,
      condition: line.condition && printValues(line.condition),
      site: line.site && printSite(line.site),
    });
  return first + lines.map((line) => `${print(line)}\n`).join('');
}

function printValues(condition: Condition): object {
  return Object.fromEntries(Object.entries(condition).map(([argument, value]) => [argument, hex(value)]));
}

function printSite({ address, module, offset }: Site): object {
  return { address: hex(address), module, offset: offset === undefined ? undefined : hex(offset) };
}

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(1));
const address = v.pipe(
  v.string(),
  v.regex(/^0x[0-9a-f]{1,16}$/, 'not an address like 0x1f'),
  v.transform((text) => BigInt(text)),
);
const LINE = v.strictObject({
  exe: v.string(),
  arch: v.picklist(ARCH_NAMES),
  syscall: v.exactOptional(v.string()),
  nr: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0xffff_ffff)),
  phase: v.picklist(['start', 'program', 'service']),
  condition: v.nullable(v.record(v.string(), address)),
  runs: count,
  count,
  denied: v.exactOptional(count),
  site: v.exactOptional(
    v.strictObject({
      address,
      module: v.exactOptional(v.string()),
      offset: v.exactOptional(address),
    }),
  ),
  errnos: v.exactOptional(v.array(v.string())),
});
const HISTORY = v.strictObject({
  runs: count,
  quiet: v.array(v.pipe(v.number(), v.safeInteger(), v.minValue(0))),
});

/**
 * Reads evidence, without what the first line may tell of the runs.
 *
 * @param file - its name, for messages
 * @throws {UsageError} with file and line
 */
export function parseEvidence(text: string, file: string): readonly Evidence[] {
  const lines = text.split('\n');
  return lines.flatMap((line, index) => {
    if (line.trim() === '') return [];
    const place = `${file}:${index + 1}`;
    const value = parseJson(line, place);
    return isHistory(value) ? [] : [checked(LINE, value, place)];
  });
}

/**
 * Reads what the first line tells of the runs. Without it only their number is known, by the call that was seen in the most of them.
 *
 * @param file - its name, for messages
 * @returns undefined where there is no evidence at all
 * @throws {UsageError} as parseEvidence
 */
export function parseHistory(text: string, file: string): History | undefined {
  const first = text.split('\n', 1)[0] ?? '';
  const value = first.trim() === '' ? undefined : parseJson(first, `${file}:1`);
  if (isHistory(value)) return checked(HISTORY, value, `${file}:1`);
  const runs = Math.max(0, ...parseEvidence(text, file).map((line) => line.runs));
  return runs === 0 ? undefined : { runs, quiet: [0] };
}

const isHistory = (value: unknown): boolean => typeof value === 'object' && value !== null && 'quiet' in value;

function parseJson(line: string, place: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new UsageError('bad_evidence', `${place}: Cannot read evidence: not a JSON object: record it again`, {
      cause,
    });
  }
}

function checked<T>(shape: v.GenericSchema<unknown, T>, value: unknown, place: string): T {
  const result = v.safeParse(shape, value);
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw new UsageError(
    'bad_evidence',
    `${place}: Cannot read evidence: ${v.getDotPath(issue) ?? 'line'}: ${issue.message}`,
  );
}
