import { closeSync, fstatSync, openSync } from 'node:fs';
import { UsageError } from '../base/errors.ts';
import { readBounded } from '../kernel/files.ts';

/** How a source is named in messages. */
export function sourceName(source: string): string {
  return source === '-' ? 'standard input' : source;
}

/**
 * Reads a file, or standard input for `-`: a policy, a raw program or an ELF file.
 *
 * @param largestText - in bytes, of what is no ELF file
 * @throws {UsageError} `cannot_read` with the reason in words, `too_large`
 */
export function readSource(source: string, largestText?: number): Uint8Array {
  if (source === '-') return readBounded(0, sourceName(source), largestText);
  let descriptor: number | undefined;
  try {
    descriptor = openSync(source, 'r');
    if (fstatSync(descriptor).isDirectory())
      throw new UsageError('cannot_read', `Cannot read "${source}": it is a directory`);
    return readBounded(descriptor, source, largestText);
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
