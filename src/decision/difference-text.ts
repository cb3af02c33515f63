import { printReturn } from '../bpf/disassemble.ts';
import type { ArchName } from '../facts/arches.ts';
import { parameters } from '../facts/prototypes.ts';
import type { SeccompData } from '../facts/seccomp.ts';
import { syscallName } from '../facts/syscalls.ts';
import { printCondition } from '../policy/condition-print.ts';
import { isPermitted } from './actions.ts';
import type { Difference } from './compare.ts';

/** The names by which the two filters are told apart in sentences. */
export interface Names {
  readonly left: string;
  readonly right: string;
}

/** A line longer than this is broken between calls. */
const LONGEST_LINE = 120;

/** Calls that differ in the same way, on one or more ABIs. */
interface Group {
  readonly verb: string;
  readonly calls: readonly string[];
  readonly arches: ArchName[];
  /** Where not all calls of the name differ. */
  readonly example: string | undefined;
}

/**
 * Differences in sentences, such as "b.yaml allows what a.yaml refuses with errno(EPERM): socket: domain == AF_INET; for example
 * socket(2, 0, 0)". Calls that differ in the same way whatever their arguments share one, and so do ABIs.
 */
export function differenceLines(differences: readonly Difference[], names: Names): string[] {
  const arches = new Set(differences.map(({ arch }) => arch));
  return shared(differences, names).map((group) => groupText(group, arches.size > 1));
}

function shared(differences: readonly Difference[], names: Names): readonly Group[] {
  const whole = new Map<string, { verb: string; arch: ArchName | undefined; calls: string[] }>();
  const groups = new Map<string, Group>();
  const add = (verb: string, calls: readonly string[], arch: ArchName | undefined, example?: string): void => {
    const key = `${verb} ${calls.join()}`;
    const group = groups.get(key) ?? { verb, calls, arches: [], example };
    groups.set(key, group);
    if (arch !== undefined) group.arches.push(arch);
  };
  for (const difference of differences) {
    const { arch, condition, isExact } = difference;
    if (condition || !isExact) continue;
    const verb = verbOf(difference, names);
    const key = `${verb} ${arch}`;
    const known = whole.get(key) ?? { verb, arch, calls: [] };
    whole.set(key, known);
    known.calls.push(...callText(difference).split(', '));
  }
  for (const { verb, arch, calls } of whole.values()) add(verb, calls, arch);
  for (const difference of differences)
    if (difference.condition || !difference.isExact)
      add(verbOf(difference, names), [callText(difference)], difference.arch, exampleText(difference));
  return [...groups.values()];
}

function groupText({ verb, calls, arches, example }: Group, severalArches: boolean): string {
  const place = severalArches && arches.length > 0 ? ` (${arches.join(', ')})` : '';
  const start = `${verb}${place}:`;
  const end = example === undefined ? '' : `; for example ${example}`;
  const line = `${start} ${calls.join(', ')}${end}`;
  return line.length <= LONGEST_LINE || calls.length === 1 ? line : [start, ...broken(calls)].join('\n');
}

function broken(calls: readonly string[]): string[] {
  const lines: string[] = [];
  for (const call of calls) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + call.length + 2 <= LONGEST_LINE)
      lines[lines.length - 1] = `${last}, ${call}`;
    else lines.push(`    ${call}`);
  }
  return lines.map((line, index) => (index < lines.length - 1 ? `${line},` : line));
}

function verbOf({ arch, left, right }: Difference, names: Names): string {
  const fallback = arch ?? 'x86_64';
  const [before, after] = [printReturn(left, fallback), printReturn(right, fallback)];
  const allows = after === 'allow' ? 'allows' : `permits by ${after}`;
  if (isPermitted(right) && !isPermitted(left))
    return `${names.right} ${allows} what ${names.left} refuses with ${before}`;
  const allowed = before === 'allow' ? 'allows' : `permits by ${before}`;
  if (isPermitted(left) && !isPermitted(right))
    return `${names.right} refuses with ${after} what ${names.left} ${allowed}`;
  return `${names.right} has ${after}, ${names.left} ${before}`;
}

function callText({ arch, first, last, name, condition, isExact }: Difference): string {
  if (arch === undefined) return 'calls of other architectures';
  const call = name ?? numbersText(arch, first, last);
  if (condition) return `${call}: ${printCondition(condition)}`;
  return isExact ? call : `${call} with some arguments`;
}

/** A short stretch of numbers is told by its names. */
const LONGEST_NAMED = 64;

function numbersText(arch: ArchName, first: number, last: number): string {
  if (last - first >= LONGEST_NAMED) return `numbers ${first} to ${last}`;
  const numbers = Array.from({ length: last - first + 1 }, (_, index) => first + index);
  return numbers.map((nr) => syscallName(arch, nr) ?? `syscall(${nr})`).join(', ');
}

/** `socket(2, 1, 0)`: a call with the arguments that it takes. */
export function exampleText({ arch, example }: Pick<Difference, 'arch' | 'example'>): string {
  return arch === undefined
    ? `number ${example.nr} of architecture token 0x${example.arch.toString(16)}`
    : callWithArguments(example, arch);
}

function callWithArguments({ nr, args, instructionPointer }: SeccompData, arch: ArchName): string {
  const name = syscallName(arch, nr);
  const count = name === undefined ? 6 : (parameters(arch, name)?.length ?? 6);
  const used = args.map((value) => value !== 0n).lastIndexOf(true) + 1;
  const values = args
    .slice(0, Math.max(count, used))
    .map((value) => (value < 0x1_0000n ? `${value}` : `0x${value.toString(16)}`));
  const at = instructionPointer === 0n ? '' : ` at 0x${instructionPointer.toString(16)}`;
  return `${name ?? `syscall(${nr})`}(${values.join(', ')})${at}`;
}
