import {
  closeSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { UsageError } from '../base/errors.ts';
import { isElf } from '../elf/read.ts';

/** Node holds at most 2 GiB in one buffer. */
const LARGEST_ELF = 2 ** 31 - 1;
/** No policy and no raw program is larger. */
const LARGEST_TEXT = 1 << 20;
const FIRST_READ = 1 << 16;

/**
 * Reads a file, a pipe or a device to its end, but never more than such a thing may hold: an ELF file 2 GiB, anything else `largestText`
 * bytes. What is too large is refused before it is in memory.
 *
 * @param name - how messages call it
 * @throws {UsageError} `too_large`; the system's error where a read fails
 */
export function readBounded(descriptor: number, name: string, largestText: number = LARGEST_TEXT): Uint8Array {
  const { size } = fstatSync(descriptor);
  let bytes = Buffer.allocUnsafe(FIRST_READ);
  let length = readMore(descriptor, bytes, 0);
  const isBinary = isElf(bytes.subarray(0, length));
  const largest = isBinary ? LARGEST_ELF : largestText;
  while (length === bytes.length && length <= largest && size <= largest) {
    const larger = Buffer.allocUnsafe(Math.min(largest + 1, Math.max(2 * length, size + 1)));
    bytes.copy(larger);
    bytes = larger;
    length = readMore(descriptor, bytes, length);
  }
  if (length <= largest && size <= largest) return bytes.subarray(0, length);
  const kind = isBinary ? 'an ELF file' : 'what begins like no ELF file';
  throw new UsageError('too_large', `Cannot read "${name}": larger than ${largest} bytes, the most for ${kind}`);
}

/** Fills a buffer from `length` on, until it is full or the end is there. @returns its length */
function readMore(descriptor: number, bytes: Uint8Array, length: number): number {
  let filled = length;
  for (let read = -1; read !== 0 && filled < bytes.length; filled += read)
    read = readSync(descriptor, bytes, filled, bytes.length - filled, null);
  return filled;
}

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
