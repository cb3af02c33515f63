import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { UsageError } from '../base/errors.ts';
import type { Edit } from '../elf/seal.ts';
import { readBounded } from '../kernel/files.ts';
import { unsupportedMachine } from '../kernel/libc.ts';
import { copyExtendedAttributes, hasFileCapabilities } from '../kernel/xattr.ts';

/** Files that are read whole and replaced in one step. */

/** A file's content, and what its replacement must keep. */
export interface SourceFile {
  /** The path without symbolic links. */
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly stat: fs.Stats;
  /** What executing it gives that its caller does not have; its replacement would lose it, or give it to other code. */
  readonly privilege: 'setuid' | 'setgid' | 'file capabilities' | undefined;
}

/** What is written: bytes, and others over them and behind them. */
export interface Content {
  readonly bytes: Uint8Array;
  readonly edits?: readonly Edit[];
}

/** Where a result goes. */
export interface Destination {
  readonly path: string;
  /** Replace what is there; else an existing path is refused. */
  readonly force: boolean;
}

/** Reads a regular file. @throws UsageError `no_such_file`, `not_a_file`, `unreadable`, `too_large`. */
export function readSource(path: string): SourceFile {
  const real = attempt('unreadable', `Cannot read "${path}"`, () => fs.realpathSync(path));
  const fd = attempt('unreadable', `Cannot read "${path}"`, () =>
    fs.openSync(real, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK),
  );
  try {
    const stat = fs.fstatSync(fd);
    if (!stat.isFile())
      throw new UsageError('not_a_file', `Cannot read "${path}": found a folder or a device, wanted a regular file`);
    const bytes = attempt('unreadable', `Cannot read "${path}"`, () => readBounded(fd, path));
    return { path: real, bytes, stat, privilege: privilegeOf(fd, stat) };
  } finally {
    fs.closeSync(fd);
  }
}

function privilegeOf(fd: number, { mode }: fs.Stats): SourceFile['privilege'] {
  if ((mode & 0o4000) !== 0) return 'setuid';
  if ((mode & 0o2000) !== 0) return 'setgid';
  return unsupportedMachine() === undefined && hasFileCapabilities(fd) ? 'file capabilities' : undefined;
}

/** @throws UsageError `output_exists` when something stands at the path and may not be replaced. */
export function requireFree(destination: Destination): void {
  if (destination.force || fs.lstatSync(destination.path, { throwIfNoEntry: false }) === undefined) return;
  throw new UsageError(
    'output_exists',
    `Cannot write "${destination.path}": it exists; name another file, or use --force`,
  );
}

/**
 * Writes `content` beside the destination, with the source's mode, owner and extended attributes, and moves it there when it
 * is whole and on disk. On any failure the destination stays as it was.
 *
 * @returns sentences on what could not be kept
 * @throws UsageError `output_exists`, `unwritable`
 */
export function writeLike(source: SourceFile, destination: Destination, content: Content): string[] {
  requireFree(destination);
  const label = `Cannot write "${destination.path}"`;
  const temporary = join(
    dirname(destination.path),
    `.${basename(destination.path).slice(0, 200)}.${randomBytes(6).toString('hex')}`,
  );
  const fd = attempt('unwritable', label, () => fs.openSync(temporary, 'wx', 0o600));
  try {
    const lost = attempt('unwritable', label, () => fill(fd, source, content));
    attempt('unwritable', label, () => moveTo(temporary, destination));
    return lost;
  } finally {
    fs.closeSync(fd);
    fs.rmSync(temporary, { force: true });
  }
}

function fill(fd: number, source: SourceFile, { bytes, edits = [] }: Content): string[] {
  fs.writeFileSync(fd, bytes);
  for (const edit of edits) writeAt(fd, edit);
  const lost = [...keepOwner(fd, source.stat), ...keepAttributes(fd, source.path)];
  // The owner first: a change of owner clears mode bits.
  fs.fchmodSync(fd, source.stat.mode & 0o777);
  fs.fsyncSync(fd);
  return lost;
}

/** All of it: write(2) may take less. */
function writeAt(fd: number, { bytes, offset }: Edit): void {
  for (let done = 0; done < bytes.length; ) done += fs.writeSync(fd, bytes, done, bytes.length - done, offset + done);
}

function keepOwner(fd: number, stat: fs.Stats): string[] {
  const created = fs.fstatSync(fd);
  if (created.uid === stat.uid && created.gid === stat.gid) return [];
  try {
    fs.fchownSync(fd, stat.uid, stat.gid);
    return [];
  } catch {
    return [`the owner ${stat.uid}:${stat.gid} could not be kept: only root may give files away`];
  }
}

function keepAttributes(fd: number, path: string): string[] {
  const problem = unsupportedMachine();
  if (problem !== undefined) return [`extended attributes were not copied: ${problem}`];
  const from = fs.openSync(path, 'r');
  try {
    return copyExtendedAttributes(from, fd).map((name) => `the extended attribute ${name} could not be kept`);
  } finally {
    fs.closeSync(from);
  }
}

/** rename(2) replaces; link(2) does not, so that a file which appeared meanwhile is not lost. */
function moveTo(temporary: string, destination: Destination): void {
  if (destination.force) {
    fs.renameSync(temporary, destination.path);
    return;
  }
  fs.linkSync(temporary, destination.path);
}

function attempt<T>(code: string, label: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    const fault = error as NodeJS.ErrnoException;
    if (fault.code === undefined || fault.syscall === undefined) throw error;
    const found = fault.code === 'ENOENT' ? 'no such file or folder' : `${fault.code} in ${fault.syscall}`;
    throw new UsageError(fault.code === 'ENOENT' ? 'no_such_file' : code, `${label}: ${found}`, { cause: error });
  }
}
