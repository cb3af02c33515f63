import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Tiny programs that tests run, compiled on the spot. */

/** Compiles C and returns the executable's path. */
export function compileC(
  folder: string,
  name: string,
  source: string,
  flags: readonly string[] = [],
  compiler = 'gcc',
): string {
  const file = join(folder, name);
  writeFileSync(`${file}.c`, source);
  execFileSync(compiler, ['-O1', '-o', file, `${file}.c`, ...flags]);
  return file;
}
