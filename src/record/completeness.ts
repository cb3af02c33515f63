import type { ArchName } from '../facts/arches.ts';
import { CHOICES, VDSO_CALLS } from '../facts/siblings.ts';
import { syscallNumber } from '../facts/syscalls.ts';
import type { Policy } from '../policy/model.ts';
import { Coverage, type Fate } from './coverage.ts';
import type { Evidence } from './evidence.ts';
import { CONFIDENCE, type History, newRunBound } from './history.ts';
import { seenOnce } from './seen-once.ts';

/** What a recording does not know: how likely a further run leaves the policy, and which calls may come in place of those that were seen. */
export interface Completeness {
  readonly runs: number;
  /** Runs that brought something that the policy before them did not permit, the first one included. */
  readonly newRuns: number;
  /** See seenOnce. */
  readonly once: readonly string[];
  /**
   * The Good-Turing estimate of the chance that a further run needs a call outside of the policy: `once` per run, 1 at most. It is the number
   * of such calls that a run is expected to show, and so not less than the chance; nothing is known after one run (1).
   */
  readonly estimate: number;
  /** Not more than this, with `confidence`; see newRunBound. */
  readonly bound: number;
  readonly confidence: number;
  /** Calls that may stand in for one that was seen. */
  readonly siblings: readonly Sibling[];
  /** Calls that no recording shows as long as the vDSO answers them. */
  readonly vdso: readonly Standing[];
}

/** A call and what the policy does with it. */
export interface Standing {
  readonly arch: ArchName;
  readonly call: string;
  readonly fate: Fate;
}

export interface Sibling extends Standing {
  /** What was seen, and what both do. */
  readonly for: readonly string[];
  readonly effect: string;
}

/** Judges a policy by all evidence for it. @throws {PolicyError} as resolvePolicy */
export function completenessOf(policy: Policy, evidence: readonly Evidence[], history: History): Completeness {
  const once = seenOnce(policy, evidence);
  const coverage = new Coverage(policy);
  const arches = [...new Set(evidence.map(({ arch }) => arch))].sort();
  return {
    runs: history.runs,
    newRuns: history.quiet.length,
    once,
    estimate: history.runs < 2 ? 1 : Math.min(1, once.length / history.runs),
    bound: newRunBound(history),
    confidence: CONFIDENCE,
    siblings: arches.flatMap((arch) => siblingsOf(coverage, arch, evidence)),
    vdso: arches.flatMap((arch) => VDSO_CALLS.flatMap((call) => standing(coverage, arch, call))),
  };
}

function standing(coverage: Coverage, arch: ArchName, call: string): readonly Standing[] {
  const nr = syscallNumber(arch, call);
  return nr === undefined ? [] : [{ arch, call, fate: coverage.fate(arch, nr) }];
}

/** Of what the program itself called: its start is over when a filter is in force, or has rules of its own. */
function siblingsOf(coverage: Coverage, arch: ArchName, evidence: readonly Evidence[]): readonly Sibling[] {
  const own = evidence.filter((line) => line.arch === arch && line.phase !== 'start');
  const seen = new Set(own.map(({ syscall }) => syscall));
  return CHOICES.flatMap(({ effect, calls }) => {
    const known = calls.filter((name) => seen.has(name));
    if (known.length === 0) return [];
    const others = calls.filter((name) => !seen.has(name));
    return others.flatMap((call) => standing(coverage, arch, call).map((one) => ({ ...one, for: known, effect })));
  });
}
