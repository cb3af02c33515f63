import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { basename, dirname } from 'node:path';
import { UsageError } from '../base/errors.ts';
import { writeFileAtomically } from '../kernel/files.ts';
import { mergePolicies } from '../policy/merge.ts';
import type { Policy } from '../policy/model.ts';
import { parsePolicy } from '../policy/parse.ts';
import { printPolicy } from '../policy/print.ts';
import { type Evidence, mergeEvidence, parseEvidence, printEvidence } from './evidence.ts';
import { type Recording, record } from './record.ts';
import { type Floor, floorOf, policyFromEvidence, releaseOf } from './to-policy.ts';

/** A recording and its two files: the policy, and the evidence that it was made of. */

export interface RecordOptions {
  readonly command: readonly string[];
  /** Absent: BASENAME.yaml in the current folder. The evidence stands beside the policy: X.yaml and X.evidence.json. */
  readonly output?: string;
  /** What to do with files that exist; absent: refuse. */
  readonly existing?: 'merge' | 'force';
  /** False: only what was seen. */
  readonly floor: boolean;
  readonly onProgress?: (calls: number) => void;
}

export interface WrittenRecording {
  readonly recording: Recording;
  readonly policy: Policy;
  readonly policyFile: string;
  readonly evidenceFile: string;
  /** Absent: no runtime that Selkie knows a floor for, or none wanted. */
  readonly floor: Floor | undefined;
  /** Calls that earlier runs had not shown; only with `merge`. */
  readonly added: readonly string[];
}

interface Files {
  readonly policyFile: string;
  readonly evidenceFile: string;
}

/**
 * Records a command and writes its policy and evidence. Everything that can be refused is refused before the command runs.
 *
 * @throws {UsageError} `output_exists`, `cannot_write`; `record` and the parsers say the rest
 */
export async function recordToFiles(options: RecordOptions): Promise<WrittenRecording> {
  const files = filesOf(options);
  const earlier = options.existing === 'merge' ? readEarlier(files) : undefined;
  if (options.existing === undefined) refuseExisting(files);
  requireWritable(files.policyFile);
  const { command, onProgress } = options;
  const recording = await record({ command, ...(onProgress ? { onProgress } : {}) });
  const floor = options.floor ? floorOf(readFileSync(recording.images[0] ?? recording.path)) : undefined;
  const fresh = policyFromEvidence(recording.evidence, {
    name: basename(command[0] ?? ''),
    kernel: releaseOf(release()),
    ...(options.floor ? { floor: floor ?? 'none' } : {}),
  });
  const policy = earlier ? mergePolicies(earlier.policy, fresh) : fresh;
  const evidence = mergeEvidence(earlier?.evidence ?? [], recording.evidence);
  writeFileAtomically(files.evidenceFile, printEvidence(evidence));
  writeFileAtomically(files.policyFile, printPolicy(policy));
  const added = earlier ? namesOf(evidence).filter((name) => !namesOf(earlier.evidence).includes(name)) : [];
  return { recording, policy, ...files, floor, added };
}

function filesOf({ command, output }: RecordOptions): Files {
  const policyFile = output ?? `./${basename(command[0] ?? '')}.yaml`;
  return { policyFile, evidenceFile: `${policyFile.replace(/\.(ya?ml|json)$/, '')}.evidence.json` };
}

function refuseExisting({ policyFile, evidenceFile }: Files): void {
  const existing = [policyFile, evidenceFile].find((file) => existsSync(file));
  if (existing === undefined) return;
  const ways = '--merge adds what this run shows, --force starts anew';
  throw new UsageError('output_exists', `Cannot write "${existing}": it exists: ${ways}`);
}

function requireWritable(file: string): void {
  try {
    accessSync(dirname(file), constants.W_OK);
  } catch (error) {
    const problem = `Cannot write "${file}": its folder does not exist or is not yours to write`;
    throw new UsageError('cannot_write', `${problem}: choose another with -o`, { cause: error });
  }
}

function readEarlier({
  policyFile,
  evidenceFile,
}: Files): { policy: Policy; evidence: readonly Evidence[] } | undefined {
  if (!existsSync(policyFile)) return undefined;
  const policy = parsePolicy(readFileSync(policyFile, 'utf8'), { file: policyFile });
  const evidence = existsSync(evidenceFile) ? parseEvidence(readFileSync(evidenceFile, 'utf8'), evidenceFile) : [];
  return { policy, evidence };
}

function namesOf(evidence: readonly Evidence[]): readonly string[] {
  return [...new Set(evidence.map(({ syscall, nr }) => syscall ?? `syscall(${nr})`))];
}
