import { UsageError } from '../base/errors.ts';
import { type ImportOptions, importToFiles } from '../record/import.ts';
import { LOG_FORMATS } from '../record/logs/formats.ts';
import { say, sayNote, toJson } from './output.ts';

/** `selkie record --import LOG...` */

interface Options {
  readonly output?: string;
  readonly merge?: boolean;
  readonly force?: boolean;
  readonly floor: boolean;
  readonly format?: string;
  readonly exe?: string;
  readonly args?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** Imports logs, says what was found and what they cannot contain; exits 0. @throws {UsageError} `bad_usage`, as importToFiles */
export function importLogs(logs: readonly string[], options: Options): number {
  if (options.args)
    throw new UsageError('bad_usage', 'Cannot take arguments from logs: leave --args out, or record the command');
  const existing = options.force ? 'force' : options.merge ? 'merge' : undefined;
  const written = importToFiles({
    logs,
    floor: options.floor,
    ...(options.exe === undefined ? {} : { exe: options.exe }),
    ...formatOption(options.format),
    ...(options.output === undefined ? {} : { output: options.output }),
    ...(existing === undefined ? {} : { existing }),
  });
  const { log, policyFile, evidenceFile, added } = written;
  const names = [...new Set(log.evidence.map(({ syscall, nr }) => syscall ?? `syscall(${nr})`))].sort();
  const { calls, images, notes } = log;
  if (options.json)
    say(
      toJson({ policy: policyFile, evidence: evidenceFile, calls, executables: images, recorded: names, added, notes }),
    );
  else if (!options.quiet) {
    say(`imported ${names.length} syscalls (${calls} calls of ${images.length} executables) → ${policyFile}`);
    for (const note of notes) sayNote(note);
  }
  return 0;
}

function formatOption(format: string | undefined): Pick<ImportOptions, 'format'> {
  if (format === undefined || format === 'auto') return {};
  const found = LOG_FORMATS.find(({ name }) => name === format);
  if (found) return { format: found.name };
  const known = LOG_FORMATS.map(({ name }) => name).join(', ');
  throw new UsageError('bad_usage', `--format: no log format ${JSON.stringify(format)}: wanted auto, ${known}`);
}
