import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { dirname } from 'node:path';
import { ElfError, UsageError } from '../base/errors.ts';
import { inspectElf, type Sealed, unsealElf } from '../elf/inspect.ts';
import type { LayoutKind } from '../elf/layout.ts';
import { readElf } from '../elf/read.ts';
import { searchesBesideItself } from '../elf/run-path.ts';
import { planSeal } from '../elf/seal.ts';
import { type Destination, readSource, requireFree, type SourceFile, writeLike } from './replace-file.ts';

/** Where a sealed or unsealed file goes: one of the two. */
export interface OutputOptions {
  readonly output?: string;
  /** Replace the binary itself. */
  readonly inPlace?: boolean;
  /** Replace an output that exists; `sealFile` also a filter that the binary holds already. */
  readonly force?: boolean;
}

export interface SealFileOptions extends OutputOptions {
  readonly binary: string;
  /** Encoded instructions that answer the probe call: compiled for x86_64 with `probe`. */
  readonly program: Uint8Array;
  /** `paths:`, as elf/paths-table.ts encodes them. */
  readonly paths?: Uint8Array;
  /** The policy's text, kept in the file for `inspect`. */
  readonly policyText: string;
}

export interface SealFileResult {
  /** The file that was written. */
  readonly path: string;
  readonly layout: LayoutKind;
  /** Bytes before and after. */
  readonly originalSize: number;
  readonly size: number;
  readonly warnings: readonly string[];
}

/**
 * Seals a program into a file (`BINARY.sealed` when nothing else is said) that keeps its mode, owner and extended attributes. The file
 * appears whole or not at all.
 *
 * @throws ElfError as planSeal does; `elf_privileged` for programs with setuid, setgid or file capabilities
 * @throws UsageError `output_exists`, `no_such_file`, `not_a_file`, `unreadable`, `unwritable`, `output_twice`
 */
export function sealFile(options: SealFileOptions): SealFileResult {
  const source = readSource(options.binary);
  const destination = destinationOf(source, options, `${options.binary}.sealed`);
  requireFree(destination);
  requireUnprivileged(options.binary, source);
  const { program, policyText, paths } = options;
  const payload = { program, policyText, sha256, ...(paths && { paths }) };
  const original = options.force === true ? originalOf(options.binary, source) : source.bytes;
  const sealed = naming(options.binary, () => planSeal(original, payload));
  const lost = writeLike(source, destination, { bytes: original, edits: sealed.edits });
  return {
    path: destination.path,
    layout: sealed.layout,
    originalSize: original.length,
    size: sealed.size,
    warnings: [...sealed.warnings, ...lost, ...leftBehind(source, destination)],
  };
}

/**
 * Writes the original of a sealed program, byte for byte.
 *
 * @returns the path written, and what could not be kept
 * @throws ElfError as unsealElf does
 * @throws UsageError as sealFile does
 */
export function unsealFile(options: OutputOptions & { readonly binary: string }): { path: string; warnings: string[] } {
  const source = readSource(options.binary);
  const fallback = options.binary.endsWith('.sealed')
    ? options.binary.slice(0, -'.sealed'.length)
    : `${options.binary}.unsealed`;
  const destination = destinationOf(source, options, fallback);
  requireFree(destination);
  const original = naming(options.binary, () => unsealElf(source.bytes, sha256));
  return { path: destination.path, warnings: writeLike(source, destination, { bytes: original }) };
}

/** What a sealed program holds; undefined for one that is not sealed. @throws ElfError, UsageError */
export function inspectFile(binary: string): Sealed | undefined {
  const source = readSource(binary);
  return naming(binary, () => inspectElf(source.bytes));
}

function sha256(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest();
}

/** Java and the like find their libraries by where their own file is. */
function leftBehind({ path, bytes }: SourceFile, destination: Destination): readonly string[] {
  const folder = dirname(path);
  if (realpathSync(dirname(destination.path)) === folder || !searchesBesideItself(readElf(bytes))) return [];
  return [
    `it looks for libraries beside its own file ($ORIGIN): they are in or near "${folder}"; seal it there, or link them`,
  ];
}

/** The file without the filter that it holds already, if any. */
function originalOf(path: string, { bytes }: SourceFile): Uint8Array {
  return naming(path, () => (inspectElf(bytes) === undefined ? bytes : unsealElf(bytes, sha256)));
}

function destinationOf(source: SourceFile, options: OutputOptions, fallback: string): Destination {
  if (options.inPlace === true) {
    if (options.output !== undefined) {
      throw new UsageError('output_twice', 'Cannot choose the output: found a path and "in place", wanted one of them');
    }
    return { path: source.path, force: true };
  }
  return { path: options.output ?? fallback, force: options.force ?? false };
}

function requireUnprivileged(path: string, { privilege }: SourceFile): void {
  if (privilege === undefined) return;
  throw new ElfError(
    'elf_privileged',
    `Cannot seal "${path}": it is a program with ${privilege}, whose file must stay as its package made it: seal an unprivileged copy`,
  );
}

/** Puts the path into what the pure functions say of bytes. */
function naming<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof ElfError)) throw error;
    throw new ElfError(error.code, `${path}: ${error.message}`, { cause: error });
  }
}
