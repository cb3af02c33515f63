import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { UsageError } from '../base/errors.ts';

/** The two files of a recording. */
export interface RecordFiles {
  readonly policy: string;
  readonly evidence: string;
}

/** Without an output: BASENAME.yaml in the current folder. The evidence stands beside the policy: X.yaml and X.evidence.json. */
export function recordFiles(command: string, output: string | undefined): RecordFiles {
  const policy = output ?? `./${basename(command)}.yaml`;
  const stem = policy.replace(/\.(ya?ml|json)$/, '');
  return { policy, evidence: `${stem}.evidence.json` };
}

/** @throws {UsageError} `output_exists`, naming the two ways out */
export function refuseExisting(files: RecordFiles): void {
  const existing = [files.policy, files.evidence].find((file) => existsSync(file));
  if (existing === undefined) return;
  const ways = '--merge adds what this run shows, --force starts anew';
  throw new UsageError('output_exists', `Cannot write "${existing}": it exists: ${ways}`);
}
