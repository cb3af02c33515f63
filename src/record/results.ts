import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { readBounded, writeFileAtomically } from '../kernel/files.ts';
import { mergePolicies } from '../policy/merge.ts';
import type { Policy } from '../policy/model.ts';
import { parsePolicy } from '../policy/parse.ts';
import { printPolicy } from '../policy/print.ts';
import { type Evidence, mergeEvidence, parseEvidence, printEvidence } from './evidence.ts';
import type { Recording } from './record.ts';
import {
  type Floor,
  floorOf,
  impliedCalls,
  joinFloors,
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

/** What a recording, or an imported log, has to show. */
export type Shown = Pick<Recording, 'evidence' | 'images' | 'path'>;

export interface WrittenRecording<R extends Shown = Recording> extends Files {
  readonly recording: R;
  readonly policy: Policy;
  /** Absent: no runtime that Selkie knows a floor for, or none wanted. */
  readonly floor: Floor | undefined;
  /** Calls that earlier runs had not shown; only where there are such. */
  readonly added: readonly string[];
}

/** What earlier runs left. */
export interface Earlier {
  readonly policy: Policy;
  readonly evidence: readonly Evidence[];
}

export interface ResultOptions extends Files {
  /** The policy's name. */
  readonly name: string;
  /** False: only what was seen. */
  readonly wantsFloor: boolean;
  readonly earlier: Earlier | undefined;
}

/** @throws {UsageError} as the parsers; undefined where there is no policy yet */
export function readEarlier({ policyFile, evidenceFile }: Files): Earlier | undefined {
  if (!existsSync(policyFile)) return undefined;
  const policy = parsePolicy(readText(policyFile), { file: policyFile });
  const evidence = existsSync(evidenceFile)
    ? parseEvidence(readText(evidenceFile, LARGEST_EVIDENCE), evidenceFile)
    : [];
  return { policy, evidence };
}

function readText(file: string, largest?: number): string {
  const descriptor = openSync(file, 'r');
  try {
    return new TextDecoder().decode(readBounded(descriptor, file, largest));
  } finally {
    closeSync(descriptor);
  }
}

/** Writes both files, joined with what was there. @throws {UsageError} `cannot_write` */
export function writeResults<R extends Shown>(recording: R, options: ResultOptions): WrittenRecording<R> {
  const { policyFile, evidenceFile, earlier, wantsFloor } = options;
  const floors = wantsFloor ? floorsOf(recording) : new Map<string, Floor | undefined>();
  const floor = joinFloors([...floors.values()]);
  const fresh = policyFromEvidence(withoutRingsOfNode(recording.evidence, floors), {
    name: options.name,
    kernel: releaseOf(release()),
    implied: impliedCalls(recording.evidence, floors),
    ...(wantsFloor ? { floor: floor ?? 'none' } : {}),
  });
  const policy = earlier ? mergePolicies(earlier.policy, fresh) : fresh;
  const evidence = mergeEvidence(earlier?.evidence ?? [], recording.evidence);
  writeFileAtomically(evidenceFile, printEvidence(evidence));
  writeFileAtomically(policyFile, printPolicy(policy));
  const added = earlier ? namesOf(evidence).filter((name) => !namesOf(earlier.evidence).includes(name)) : [];
  return { recording, policy, policyFile, evidenceFile, floor, added };
}

/** Of all that ran, by their files as far as they are still there; the file that was executed stands for one in memory only. */
function floorsOf({ images, path }: Shown): ReadonlyMap<string, Floor | undefined> {
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

function namesOf(evidence: readonly Evidence[]): readonly string[] {
  return [...new Set(evidence.map(({ syscall, nr }) => syscall ?? `syscall(${nr})`))];
}
