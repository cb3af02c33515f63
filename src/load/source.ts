import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { UsageError } from '../base/errors.ts';

/** Node reads at most 2 GiB into one buffer. */
const LARGEST_FILE = 2 ** 31 - 1;

/** How a source is named in messages. */
export function sourceName(source: string): string {
  return source === '-' ? 'standard input' : source;
}

/**
 * Reads a file, or standard input for `-`.
 *
 * @throws {UsageError} `cannot_read` with the reason in words
 */
export function readSource(source: string): Uint8Array {
  if (source === '-') return readFileSync(0);
  let descriptor: number | undefined;
  try {
    descriptor = openSync(source, 'r');
    const stat = fstatSync(descriptor);
    if (stat.isDirectory()) throw new UsageError('cannot_read', `Cannot read "${source}": it is a directory`);
    if (stat.size > LARGEST_FILE) throw new UsageError('cannot_read', `Cannot read "${source}": larger than 2 GiB`);
    return readFileSync(descriptor);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError('cannot_read', `Cannot read "${source}": ${reason(error)}`, { cause: error });
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  EACCES: 'permission denied',
  ENOTDIR: 'a part of the path is not a directory',
  ELOOP: 'too many symbolic links',
};

function reason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return (code && REASONS[code]) || message;
}
