import { accessSync, constants, existsSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { UsageError } from '../base/errors.ts';
import { keepExecutable } from './executables.ts';
import { type Recording, record } from './record.ts';
import type { Files, WrittenRecording } from './results.ts';

/** A recording and its two files: the policy, and the evidence that it was made of. */

export interface RecordOptions {
  readonly command: readonly string[];
  /** Absent: BASENAME.yaml in the current folder. The evidence stands beside the policy: X.yaml and X.evidence.json. */
  readonly output?: string;
  /** What to do with files that exist; absent: refuse. */
  readonly existing?: 'merge' | 'force';
  /** False: only what was seen. */
  readonly floor: boolean;
  /** Keep only what this executable calls. */
  readonly exe?: string;
  /** Told of the whole recording, before `exe` is applied. */
  readonly onRecorded?: (recording: Recording) => void;
}

/**
 * Records a command and writes its policy and evidence. Everything that can be refused is refused before the command runs.
 *
 * @throws {UsageError} `output_exists`, `cannot_write`; `record` and the parsers say the rest
 */
export async function recordToFiles(options: RecordOptions): Promise<WrittenRecording> {
  const files = filesOf(options);
  if (options.existing === undefined) refuseExisting(files);
  requireWritable(files.policyFile);
  const earlier = options.existing === 'merge' ? (await results()).readEarlier(files) : undefined;
  const { command } = options;
  // What reads and writes policies is loaded while the command runs.
  const [whole, { writeResults }] = await Promise.all([record({ command }), results()]);
  options.onRecorded?.(whole);
  const recording = options.exe === undefined ? whole : keepExecutable(whole, options.exe);
  return writeResults(recording, { ...files, name: basename(command[0] ?? ''), wantsFloor: options.floor, earlier });
}

const results = () => import('./results.ts');

function filesOf({ command, output }: RecordOptions): Files {
  const policyFile = output ?? `./${basename(command[0] ?? '')}.yaml`;
  return { policyFile, evidenceFile: `${policyFile.replace(/\.(ya?ml|json)$/, '')}.evidence.json` };
}

/** @throws {UsageError} `output_exists` */
export function refuseExisting({ policyFile, evidenceFile }: Files): void {
  const existing = [policyFile, evidenceFile].find((file) => existsSync(file));
  if (existing === undefined) return;
  const ways = '--merge adds what this run shows, --force starts anew';
  throw new UsageError('output_exists', `Cannot write "${existing}": it exists: ${ways}`);
}

/** @throws {UsageError} `cannot_write` */
export function requireWritable(file: string): void {
  try {
    accessSync(dirname(file), constants.W_OK);
  } catch (error) {
    const problem = `Cannot write "${file}": its folder does not exist or is not yours to write`;
    throw new UsageError('cannot_write', `${problem}: choose another with -o`, { cause: error });
  }
}
