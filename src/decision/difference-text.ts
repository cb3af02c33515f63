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

/**
 * Differences in sentences, such as "B also allows socket: domain in [AF_INET, AF_INET6]; for example socket(2, 1, 0)". Calls that differ
 * in the same way whatever their arguments share one.
 */
export function differenceLines(differences: readonly Difference[], names: Names): string[] {
  const groups = new Map<string, { verb: string; calls: string[] }>();
  const single: string[] = [];
  const severalArches = new Set(differences.map(({ arch }) => arch)).size > 1;
  for (const difference of differences) {
    const verb = verbOf(difference, names);
    const place = severalArches && difference.arch !== undefined ? ` (${difference.arch})` : '';
    if (difference.condition || !difference.isExact) {
      single.push(`${verb} ${callText(difference)}${place}; for example ${exampleText(difference)}`);
      continue;
    }
    const key = `${verb}${place}`;
    const group = groups.get(key) ?? { verb: key, calls: [] };
    group.calls.push(callText(difference));
    groups.set(key, group);
  }
  return [...[...groups.values()].map(({ verb, calls }) => `${verb} ${calls.join(', ')}`), ...single];
}

function verbOf({ arch, left, right }: Difference, names: Names): string {
  const fallback = arch ?? 'x86_64';
  const [before, after] = [printReturn(left, fallback), printReturn(right, fallback)];
  if (isPermitted(right) && !isPermitted(left))
    return `${names.right} also ${after === 'allow' ? 'allows' : `permits (${after})`}`;
  if (isPermitted(left) && !isPermitted(right)) return `${names.right} no longer allows (${after})`;
  return `${names.right} answers ${after} instead of ${before} to`;
}

function callText({ arch, first, last, name, condition, isExact }: Difference): string {
  if (arch === undefined) return 'calls of other architectures';
  const call = name ?? numbersText(arch, first, last);
  if (condition) return `${call}: ${printCondition(condition)}`;
  return isExact ? call : `${call} under conditions on its arguments`;
}

/** A short stretch of numbers is told by its names. */
const LONGEST_NAMED = 64;

function numbersText(arch: ArchName, first: number, last: number): string {
  if (last - first >= LONGEST_NAMED) return `syscall(${first}) to syscall(${last})`;
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
