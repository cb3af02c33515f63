import { accessSync, constants, existsSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { UsageError } from '../base/errors.ts';
import type { Progress } from '../observe/protocol.ts';
import type { ReadySign } from '../observe/ready.ts';
import type { Running } from '../observe/traced-process.ts';
import type { Backend } from './backend.ts';
import { Checkpoints } from './checkpoint.ts';
import { keepExecutable, onlyExecutable } from './executables.ts';
import { record } from './record.ts';
import type { Files, JoinedResults, Results, Seen, WrittenRecording } from './results.ts';
import type { Rounds } from './rounds.ts';
import { StopRequest } from './stop-request.ts';

/** A recording and its two files: the policy, and the evidence that it was made of. */

export interface RecordOptions {
  readonly command: readonly string[];
  /** Absent: BASENAME.yaml in the current folder. The evidence stands beside the policy: X.yaml and X.evidence.json. */
  readonly output?: string;
  /** What to do with files that exist; absent: refuse. */
  readonly existing?: 'merge' | 'force';
  /** False: only what was seen. */
  readonly floor: boolean;
  /** See ObserveOptions. */
  readonly descriptors?: readonly number[];
  /** How often the command runs. */
  readonly rounds: Rounds;
  /** Called while the command runs; see Progress. */
  readonly onProgress?: (progress: Progress) => void;
  /** Absent: `auto`. */
  readonly backend?: Backend;
  /** See ObserveOptions. */
  readonly running?: Running;
  /** Named sets instead of names where they fit; see coarse.ts. */
  readonly isCoarse?: boolean;
  /** See ObserveOptions. */
  readonly ready?: ReadySign;
  /** See ObserveOptions; found by recordToFiles where it adds to files. */
  readonly known?: readonly string[];
  /** Keep only what this executable calls. */
  readonly exe?: string;
  /** See ObserveOptions. */
  readonly args?: boolean;
}

/**
 * Records a command and writes its policy and evidence: after each run, and in a long one from time to time. Everything that can be refused is refused before the command runs.
 *
 * @throws {UsageError} `output_exists`, `cannot_write`; `record` and the parsers say the rest
 */
export async function recordToFiles(options: RecordOptions): Promise<WrittenRecording> {
  const files = filesOf(options);
  if (options.existing === undefined) refuseExisting(files);
  requireWritable(files.policyFile);
  const earlier = options.existing === 'merge' ? (await results()).readEarlier(files) : undefined;
  const known = earlier && (await import('./known-calls.ts')).knownCalls(earlier, options);
  return recordRounds({ ...options, ...(known && { known }) }, files, earlier);
}

async function recordRounds(
  options: RecordOptions,
  files: Files,
  earlier: Results | undefined,
): Promise<WrittenRecording> {
  if (options.rounds.most === 1) return recordOnce(options, files, earlier);
  const stop = new StopRequest();
  try {
    let written = await recordOnce(options, files, earlier);
    const { wantsMore } = await rounds();
    for (let done = 1; !stop.isMade && wantsMore(written, done, options.rounds); done += 1)
      written = await recordAgain(options, written);
    return written;
  } finally {
    stop.close();
  }
}

const results = () => import('./results.ts');
const rounds = () => import('./rounds.ts');

async function recordAgain(options: RecordOptions, earlier: WrittenRecording): Promise<WrittenRecording> {
  const { policyFile, evidenceFile } = earlier;
  const later = await recordOnce(options, { policyFile, evidenceFile }, earlier);
  const added = [...new Set([...earlier.added, ...later.added])];
  const { joinRounds } = await rounds();
  return { ...later, added, recording: joinRounds(earlier.recording, later.recording) };
}

async function recordOnce(
  {
    command,
    floor,
    onProgress,
    backend = 'auto',
    running,
    descriptors,
    exe,
    args = false,
    ready,
    known,
    isCoarse = false,
  }: RecordOptions,
  files: Files,
  earlier: Results | undefined,
): Promise<WrittenRecording> {
  const write = async (whole: Seen): Promise<JoinedResults> => {
    const { joinResults, writeResults } = await results();
    // Where it was not seen, nothing is lost: all is written.
    const seen = (exe !== undefined && onlyExecutable(whole, exe)) || whole;
    const joined = joinResults(seen, { name: basename(command[0] ?? ''), wantsFloor: floor, isCoarse, earlier });
    writeResults(files, joined);
    return joined;
  };
  const checkpoints = new Checkpoints(write);
  const see = (progress: Progress): void => {
    checkpoints.see(progress);
    onProgress?.(progress);
  };
  try {
    // What reads and writes policies is loaded while the command runs.
    const [recording] = await Promise.all([
      record({
        command,
        backend,
        args,
        onProgress: see,
        ...(running && { running }),
        ...(descriptors && { descriptors }),
        ...(ready && { ready }),
        ...(known && { known }),
      }),
      results(),
    ]);
    const joined = await write({ ...recording, isWhole: recording.error === undefined });
    return {
      ...joined,
      ...files,
      known: recording.backend === 'notify' ? (known ?? []) : [],
      recording:
        exe === undefined ? recording : keepExecutable(recording, exe, `: ${files.policyFile} has the calls of all`),
    };
  } finally {
    checkpoints.close();
  }
}

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
