import { readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { PolicyError } from '../base/errors.ts';
import { interpreterOf, readElf } from '../elf/read.ts';
import type { Paths } from '../policy/model.ts';

/** What can be known before a command starts under `paths:`: the kernel would answer EACCES, and not say for which file. */

/**
 * Holds a file against what may be executed, as Landlock will: by the files and folders themselves, from the file upwards.
 *
 * @param file - the command, an interpreter of its script, or its ld.so; one that cannot be looked at is not judged
 * @throws {PolicyError} `exec_refused`
 */
export function requireExecutable(file: string, command: string, { execute = [] }: Paths): void {
  const permitted = new Set(execute.map(({ path }) => identity(path)));
  const start = attempt(() => realpathSync(file));
  if (start === undefined) return;
  for (let path = start; ; path = dirname(path)) {
    if (permitted.has(identity(path))) return;
    if (path === '/') break;
  }
  const what = file === command ? 'it' : `${file}, which starts it,`;
  const problem = `Cannot run '${command}': ${what} is not beneath "execute" of "paths"`;
  throw new PolicyError('exec_refused', `${problem}: add "${start}" there`);
}

/** The ld.so that the kernel starts for an ELF file. */
export function loaderOf(file: string): string | undefined {
  return attempt(() => interpreterOf(readElf(readFileSync(file))));
}

function identity(path: string): string | undefined {
  return attempt(() => {
    const { dev, ino } = statSync(path, { bigint: true });
    return `${dev}:${ino}`;
  });
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
