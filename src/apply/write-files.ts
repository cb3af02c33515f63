import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from '../base/errors.ts';
import { writeFileAtomically } from '../kernel/files.ts';
import { requireFree } from './replace-file.ts';

/**
 * Writes several files into a folder, which is made where it is missing. All are refused before one is written, and each is at
 * any moment the old one or the whole new one.
 *
 * @returns their paths
 * @throws {UsageError} `output_exists` (without `force`), `cannot_write`
 */
export function writeFiles(
  folder: string,
  files: readonly { readonly name: string; readonly text: string }[],
  force: boolean,
): readonly string[] {
  const paths = files.map(({ name }) => join(folder, name));
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw new UsageError('cannot_write', `Cannot write to "${folder}": ${(error as Error).message}`, { cause: error });
  }
  for (const path of paths) requireFree({ path, force });
  files.forEach(({ text }, index) => {
    writeFileAtomically(paths[index] as string, text);
  });
  return paths;
}
