import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { UsageError } from '../base/errors.ts';

/** Finding the file of a command as execvp(3) does. */

/** A command that cannot be run; `exitCode` is what env(1) would exit with. */
export class CommandError extends UsageError {
  readonly exitCode: 126 | 127;
  constructor(code: string, exitCode: 126 | 127, message: string) {
    super(code, message);
    this.exitCode = exitCode;
  }
}

/** The path that execvp(3) searches where PATH is not set: glibc's confstr(_CS_PATH). */
const DEFAULT_PATH = '/bin:/usr/bin';

/**
 * Finds the file that a command's first word names: itself if it has a slash, else the first executable file of that name in PATH.
 *
 * @throws {CommandError} 127 where there is none, 126 where what is there cannot be executed
 */
export function findExecutable(word: string, path: string = process.env.PATH ?? DEFAULT_PATH): string {
  if (word.includes('/')) {
    check(word, word);
    return word;
  }
  const found = path.split(delimiter).map((folder) => join(folder || '.', word));
  const executable = found.find((file) => fault(file) === undefined);
  if (executable !== undefined) return executable.includes('/') ? executable : `./${executable}`;
  const forbidden = found.find((file) => fault(file) === 'forbidden');
  if (forbidden !== undefined) check(forbidden, word);
  throw new CommandError('command_not_found', 127, `Cannot run '${word}': no such command in PATH: give its path`);
}

function check(file: string, word: string): void {
  const problem = fault(file);
  if (problem === 'absent')
    throw new CommandError('command_not_found', 127, `Cannot run '${word}': ENOENT: no such file: check its path`);
  if (problem === 'forbidden')
    throw new CommandError(
      'command_not_executable',
      126,
      `Cannot run '${word}': EACCES: ${file} is not an executable file: wanted one with its x bit set`,
    );
}

function fault(file: string): 'absent' | 'forbidden' | undefined {
  try {
    if (!statSync(file).isFile()) return 'forbidden';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EACCES' ? 'forbidden' : 'absent';
  }
  try {
    accessSync(file, constants.X_OK);
    return undefined;
  } catch {
    return 'forbidden';
  }
}
