import { closeSync, fchmodSync, fchownSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { UsageError } from '../base/errors.ts';

export interface AtomicWriteOptions {
  /** File mode, else 0666 less the umask. */
  readonly mode?: number;
  readonly owner?: { readonly uid: number; readonly gid: number };
}

/**
 * Writes a file so that at any moment either the old or the whole new content is there: a temporary file in the same folder, fsync,
 * rename(2). On any fault the temporary file is removed and `path` is as it was.
 *
 * @throws {UsageError} `cannot_write` with the reason
 */
export function writeFileAtomically(
  path: string,
  content: Uint8Array | string,
  options: AtomicWriteOptions = {},
): void {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
  let descriptor: number | undefined;
  try {
    descriptor = openSync(temporary, 'wx', 0o666);
    writeAll(descriptor, typeof content === 'string' ? new TextEncoder().encode(content) : content);
    if (options.owner) fchownSync(descriptor, options.owner.uid, options.owner.gid);
    // After the owner: fchown(2) clears set-id bits.
    if (options.mode !== undefined) fchmodSync(descriptor, options.mode);
    fsyncSync(descriptor);
    closeSync(descriptor);
    descriptor = undefined;
    renameSync(temporary, path);
  } catch (error) {
    if (descriptor !== undefined) closeSync(descriptor);
    rmSync(temporary, { force: true });
    const { message } = error as Error;
    throw new UsageError('cannot_write', `Cannot write "${path}": ${message}`, { cause: error });
  }
}

function writeAll(descriptor: number, bytes: Uint8Array): void {
  for (let offset = 0; offset < bytes.length; ) offset += writeSync(descriptor, bytes, offset);
}
