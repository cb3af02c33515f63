/** The launcher file: what it holds besides its code, and how it is recognised. */
import { ElfError } from '../base/errors.ts';
import { ByteReader, ByteWriter } from './bytes.ts';
import * as format from './format.ts';
import { decodeRecords, encodeRecords, isRecord, LAUNCHER_FORMS, type LauncherParts, RECORD } from './payload.ts';
import { type ElfFile, readElf } from './read.ts';
import type { Digest } from './seal.ts';
import { ownLauncherAarch64 } from './stubs/own-launcher-aarch64.ts';
import { ownLauncherX8664 } from './stubs/own-launcher-x86-64.ts';

export interface LauncherPayload extends LauncherParts {
  /** e_machine. */
  readonly machine: number;
  readonly policyText: string;
}

/** What a launcher holds. */
export interface Launcher extends LauncherPayload {
  /** SHA-256 of the policy's text, as recorded. */
  readonly policyDigest: Uint8Array;
}

const VERSION = 1;
const MAKERS: ReadonlyMap<number, (parts: LauncherParts, notes: Uint8Array) => Uint8Array> = new Map([
  [format.EM_X86_64, ownLauncherX8664],
  [format.EM_AARCH64, ownLauncherAarch64],
]);

/** A static executable that confines itself and becomes its arguments. Same inputs, same bytes. @throws ElfError `elf_machine` */
export function launcherFile(payload: LauncherPayload, sha256: Digest): Uint8Array {
  const { machine, form, program, policyText, paths } = payload;
  const make = MAKERS.get(machine);
  if (make === undefined)
    throw new ElfError('elf_machine', `Cannot make a launcher for ${format.machineName(machine)}`);
  const text = new TextEncoder().encode(policyText);
  const head = new ByteWriter(new Uint8Array(8 + program.length));
  head.u32(0, VERSION);
  head.u32(4, LAUNCHER_FORMS.indexOf(form));
  head.bytes.set(program, 8);
  const notes = encodeRecords([
    { type: RECORD.launcher, content: head.bytes },
    { type: RECORD.policyDigest, content: sha256(text) },
    { type: RECORD.policyText, content: text },
    ...(paths ? [{ type: RECORD.paths, content: paths }] : []),
  ]);
  return make(payload, notes);
}

/** What a launcher says of itself, or undefined for another ELF file. @throws ElfError as readElf does, and `elf_damaged` */
export function inspectLauncher(bytes: Uint8Array): Launcher | undefined {
  const elf = readElf(bytes);
  const notes = notesOf(elf);
  if (notes === undefined) return undefined;
  const records = decodeRecords(notes);
  const find = (type: number): Uint8Array | undefined => records.find((record) => record.type === type)?.content;
  const theRecord = (type: number): Uint8Array => find(type) ?? new Uint8Array();
  const paths = find(RECORD.paths);
  const head = new ByteReader(theRecord(RECORD.launcher));
  const form = LAUNCHER_FORMS[head.u32(4, 'the form of the launcher')];
  if (head.u32(0, 'the version of the launcher') !== VERSION || form === undefined)
    throw new ElfError('elf_damaged', 'Cannot read the launcher: it is of another version of Selkie');
  return {
    machine: elf.machine,
    form,
    program: head.bytes.subarray(8),
    ...(paths && { paths }),
    policyText: new TextDecoder().decode(theRecord(RECORD.policyText)),
    policyDigest: theRecord(RECORD.policyDigest),
  };
}

/** False when a byte is not as this version of Selkie writes it: then nothing says that the launcher confines. */
export function isIntact(bytes: Uint8Array, launcher: Launcher, sha256: Digest): boolean {
  const wanted = launcherFile(launcher, sha256);
  return bytes.length === wanted.length && bytes.every((byte, index) => byte === wanted[index]);
}

/** The notes of a launcher: its only PT_NOTE begins with its record. */
function notesOf(elf: ElfFile): Uint8Array | undefined {
  const note = elf.segments.find(({ type }) => type === format.PT_NOTE);
  const content = note && elf.bytes.subarray(note.offset, note.offset + note.filesz);
  return content && isRecord(content, RECORD.launcher) ? content : undefined;
}
