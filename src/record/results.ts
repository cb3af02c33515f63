import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { readBounded, writeFileAtomically } from '../kernel/files.ts';
import type { Policy } from '../policy/model.ts';
import { parsePolicy } from '../policy/parse.ts';
import { printPolicy } from '../policy/print.ts';
import { coarsen } from './coarse.ts';
import { Coverage } from './coverage.ts';
import { type Evidence, mergeEvidence, parseEvidence, parseHistory, printEvidence } from './evidence.ts';
import { addRun, type History } from './history.ts';
import { joinPolicy } from './join-policy.ts';
import { lineText } from './line-text.ts';
import type { Recording } from './record.ts';
import {
  type Floor,
  floorOf,
  impliedCalls,
  joinFloors,
  type PolicyOptions,
  policyFromEvidence,
  releaseOf,
  withoutRingsOfNode,
} from './to-policy.ts';

/** The policy and the evidence of a recording: read where earlier runs left them, written with what this one adds. */

/** In bytes: a line is some 250 of them. */
const LARGEST_EVIDENCE = 1 << 26;

export interface Files {
  readonly policyFile: string;
  readonly evidenceFile: string;
}

/** What all runs so far amount to. */
export interface Results {
  readonly policy: Policy;
  readonly evidence: readonly Evidence[];
  /** Absent: no run came to its end yet. */
  readonly history: History | undefined;
}

/** Earlier results with those of a run. */
export interface JoinedResults extends Results {
  /** Absent: no runtime that Selkie knows a floor for, or none wanted. */
  readonly floor: Floor | undefined;
  /** Calls that earlier runs had not shown; only where there are such. */
  readonly added: readonly string[];
}

export interface WrittenRecording extends Files, JoinedResults {
  readonly recording: Recording;
  /** Calls that earlier runs showed, and that ran natively in this one: they are not in `recording`. */
  readonly known: readonly string[];
}

export interface ResultOptions {
  /** The policy's name. */
  readonly name: string;
  /** False: only what was seen. */
  readonly wantsFloor: boolean;
  /** Named sets instead of names where they fit. */
  readonly isCoarse?: boolean;
  readonly earlier: Results | undefined;
}

/** What results are made of: a recording, or what one has seen so far. */
export interface Seen extends Pick<Recording, 'evidence' | 'images' | 'path'> {
  /** False for a run that was cut short, or that goes on: what it did not show proves nothing. */
  readonly isWhole: boolean;
}

/** @throws {UsageError} as the parsers; undefined where there is no policy yet */
export function readEarlier({ policyFile, evidenceFile }: Files): Results | undefined {
  if (!existsSync(policyFile)) return undefined;
  const policy = parsePolicy(readText(policyFile), { file: policyFile });
  const text = existsSync(evidenceFile) ? readText(evidenceFile, LARGEST_EVIDENCE) : '';
  return { policy, evidence: parseEvidence(text, evidenceFile), history: parseHistory(text, evidenceFile) };
}

function readText(file: string, largest?: number): string {
  const descriptor = openSync(file, 'r');
  try {
    return new TextDecoder().decode(readBounded(descriptor, file, largest));
  } finally {
    closeSync(descriptor);
  }
}

/** Writes both files. @throws {UsageError} `cannot_write` */
export function writeResults({ policyFile, evidenceFile }: Files, { policy, evidence, history }: Results): void {
  writeFileAtomically(evidenceFile, printEvidence(evidence, history));
  writeFileAtomically(policyFile, printPolicy(policy));
}

/**
 * Joins a run with what earlier ones left.
 *
 * @throws {PolicyError} the two policies contradict each other
 */
export function joinResults(seen: Seen, { earlier, wantsFloor, isCoarse = false, name }: ResultOptions): JoinedResults {
  const floors = wantsFloor ? floorsOf(seen) : new Map<string, Floor | undefined>();
  const floor = joinFloors([...floors.values()]);
  const wanted = withoutRingsOfNode(seen.evidence, floors);
  const options: PolicyOptions = {
    name,
    kernel: releaseOf(release()),
    implied: impliedCalls(seen.evidence, floors),
    ...(wantsFloor ? { floor: floor ?? 'none' } : {}),
  };
  const merged = earlier
    ? joinPolicy(earlier.policy, earlier.evidence, wanted, options)
    : policyFromEvidence(wanted, options);
  const evidence = mergeEvidence(earlier?.evidence ?? [], seen.evidence);
  const policy = isCoarse ? coarsen(merged, evidence) : merged;
  const outside = earlier ? new Coverage(earlier.policy).outside(wanted) : wanted;
  const added = earlier ? addedOf(earlier.evidence, evidence, outside) : [];
  const isNew = earlier === undefined || outside.length > 0;
  const history = !seen.isWhole && !isNew ? earlier?.history : addRun(earlier?.history, isNew);
  return { policy, evidence, history, floor, added };
}

/** Of all that ran, by their files as far as they are still there; the file that was executed stands for one in memory only. */
function floorsOf({ images, path }: Seen): ReadonlyMap<string, Floor | undefined> {
  const files = [...new Set([...images, path])];
  return new Map(
    files.map((file) => {
      const bytes = readIfThere(file);
      return [file, bytes && floorOf(bytes)];
    }),
  );
}

function readIfThere(file: string): Uint8Array | undefined {
  try {
    return readFileSync(file);
  } catch {
    return undefined;
  }
}

/** Calls that are new, and new arguments of others that the policy did not permit. */
function addedOf(
  before: readonly Evidence[],
  now: readonly Evidence[],
  outside: readonly Evidence[],
): readonly string[] {
  const known = new Set(namesOf(before));
  const names = namesOf(now).filter((call) => !known.has(call));
  const lines = outside.filter(({ condition, syscall = '' }) => condition !== null && known.has(syscall));
  return [...new Set([...names, ...lines.map(lineText)])];
}

function namesOf(evidence: readonly Evidence[]): readonly string[] {
  return [...new Set(evidence.map(({ syscall, nr }) => syscall ?? `syscall(${nr})`))];
}
