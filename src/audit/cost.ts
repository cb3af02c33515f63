import { isConstantAllow } from '../bpf/constant-allow.ts';
import type { Program } from '../bpf/instruction.ts';
import type { CallCounts } from '../compile/weights.ts';
import { isPermitted } from '../decision/actions.ts';
import { Diagrams, type Node, TRUE } from '../decision/diagrams.ts';
import { stackLengths } from '../decision/path-lengths.ts';
import { ARCHES, type ArchName } from '../facts/arches.ts';
import { syscallNumber } from '../facts/syscalls.ts';
import { halvesOf, isWord } from './arguments.ts';
import type { Subject } from './subject.ts';

/** What one call costs. */
export interface CallCost {
  readonly arch: ArchName;
  readonly call: string;
  readonly nr: number;
  /** Least and most instructions, over all arguments. */
  readonly least: number;
  readonly most: number;
  /** The kernel's bitmap (5.11) isPermitted it without running the program; there is none for x32 (arch/x86/include/asm/seccomp.h). */
  readonly bitmap: boolean;
  /** Some calls of it are made. */
  readonly permitted: boolean;
  /** By the evidence; absent without any. */
  readonly count?: number;
}

/** What a program costs. */
export interface Cost {
  /** Instructions of all programs together. */
  readonly instructions: number;
  readonly calls: readonly CallCost[];
  /**
   * Instructions a call, at most: over the calls of the evidence by their counts, else over all permitted calls alike. Of calls whose cost depends on
   * arguments the most is taken, since evidence holds no arguments.
   */
  readonly mean: number;
  /** The same where the bitmap spares the program. */
  readonly meanWithBitmap: number;
  /** Instructions of the worst call. */
  readonly worst: number;
  /** Permitted calls (of the evidence: calls made), and those of them that the bitmap serves. */
  readonly weight: number;
  readonly weightByBitmap: number;
}

/**
 * What programs cost that are in force together, in instructions.
 *
 * @param stack - newest first; a call runs them all
 * @throws {CannotTellError}
 */
export function costOf(subject: Subject, stack: readonly Program[], counts?: CallCounts): Cost {
  const space = new Diagrams();
  const calls = subject.abis.flatMap((abi) => {
    const among = possibleArguments(space, abi.arch);
    return abi.names.map((call): CallCost => {
      const nr = syscallNumber(abi.arch, call) as number;
      const { token } = ARCHES[abi.arch];
      const lengths = [...stackLengths(space, stack, { arch: token, nr }, among).keys()];
      return {
        arch: abi.arch,
        call,
        nr,
        least: Math.min(...lengths),
        most: Math.max(...lengths),
        bitmap: abi.arch !== 'x32' && stack.every((program) => isConstantAllow(program, token, nr)),
        permitted: subject.outcomes.some(abi.at(nr), isPermitted),
        ...(counts && { count: counts.get(abi.arch)?.get(call) ?? 0 }),
      };
    });
  });
  return { instructions: stack.reduce((sum, program) => sum + program.length, 0), calls, ...summary(calls) };
}

/** Registers of 32-bit processes are zero-extended. */
function possibleArguments(space: Diagrams, arch: ArchName): Node {
  if (ARCHES[arch].bits === 64 || arch === 'x32') return TRUE;
  const values = ['ip', 0, 1, 2, 3, 4, 5] as const;
  return values.reduceRight<Node>((all, value) => space.and(isWord(space, halvesOf(arch, value).high, 0), all), TRUE);
}

function summary(calls: readonly CallCost[]): Omit<Cost, 'instructions' | 'calls'> {
  const weighed = calls.map((each) => ({ ...each, weight: each.count ?? (each.permitted ? 1 : 0) }));
  const sum = (of: (call: (typeof weighed)[number]) => number): number =>
    weighed.reduce((all, each) => all + of(each), 0);
  const weight = sum((each) => each.weight);
  const mean = (of: (call: (typeof weighed)[number]) => number): number =>
    weight === 0 ? 0 : sum((each) => each.weight * of(each)) / weight;
  return {
    mean: mean(({ most }) => most),
    meanWithBitmap: mean(({ most, bitmap }) => (bitmap ? 0 : most)),
    worst: Math.max(...calls.map(({ most }) => most)),
    weight,
    weightByBitmap: sum((each) => (each.bitmap ? each.weight : 0)),
  };
}
