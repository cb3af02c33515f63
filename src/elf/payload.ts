/**
 * What a seal adds to a file: one read-only, executable segment. Little-endian, version 1:
 *
 *     0   magic "SELKIE\0\0"        24  program: instructions
 *     8   version: u32              28  records: offset
 *     12  size of the segment       32  records: bytes
 *     16  stub: offset              36  zero
 *     20  program: offset           40  stub, program, records, program headers if they were moved
 *
 * Offsets are u32 from the segment's start. Records are ELF notes of the owner "Selkie", each type once but RANGE.
 */
import { alignUp, ByteReader, ByteWriter, damaged } from './bytes.ts';

export const PAYLOAD_VERSION = 1;
const MAGIC: readonly number[] = [0x53, 0x45, 0x4c, 0x4b, 0x49, 0x45, 0, 0];
export const PAYLOAD_HEADER_SIZE = 40;
const OWNER: readonly number[] = [0x53, 0x65, 0x6c, 0x6b, 0x69, 0x65, 0, 0];

/** Types of records. */
export const RECORD = {
  /** u64 size, u64 e_entry, 32 bytes SHA-256 of the original file. */
  original: 1,
  /** u64 offset and the original bytes there: what sealing overwrote. */
  range: 2,
  /** UTF-8. */
  policyText: 3,
  /** SHA-256. */
  policyDigest: 4,
  /** Name of the layout, ASCII. */
  layout: 5,
  /** Of a launcher: u32 version, u32 form, the program. */
  launcher: 6,
  /** `paths:`, as paths-table.ts encodes them. */
  paths: 7,
} as const;

/** Forms of launchers, by their number in the record. */
export const LAUNCHER_FORMS = ['simple', 'exec', 'loader'] as const;
/**
 * How long `start:` is in force: the whole time (`simple`); until the program's entry, where it permits only the exec (`exec`), or more, for ld.so
 * (`loader`).
 */
export type LauncherForm = (typeof LAUNCHER_FORMS)[number];

/** What the code of a launcher is made of. */
export interface LauncherParts {
  readonly form: LauncherForm;
  /** Encoded instructions that answer the probe call, and notify what only `start:` permits unless the form is `simple`. */
  readonly program: Uint8Array;
  /** `paths:`, as paths-table.ts encodes them; absent: no Landlock. */
  readonly paths?: Uint8Array;
}

export interface PayloadRecord {
  readonly type: number;
  readonly content: Uint8Array;
}

/** Places inside the segment, in bytes from its start; `count` in instructions. */
export interface PayloadPlaces {
  readonly size: number;
  readonly stub: number;
  readonly program: number;
  readonly count: number;
  readonly records: number;
  readonly recordsSize: number;
}

/** True when a segment's content begins as a payload does. */
export function hasPayloadMagic(content: Uint8Array): boolean {
  return MAGIC.every((byte, index) => content[index] === byte);
}

/** Encodes the header that stands at the segment's start. */
export function encodePlaces(places: PayloadPlaces): Uint8Array {
  const writer = new ByteWriter(new Uint8Array(PAYLOAD_HEADER_SIZE));
  writer.bytes.set(MAGIC);
  const { size, stub, program, count, records, recordsSize } = places;
  [PAYLOAD_VERSION, size, stub, program, count, records, recordsSize].forEach((value, index) => {
    writer.u32(8 + 4 * index, value);
  });
  return writer.bytes;
}

/** Reads the header of a payload. @throws ElfError `elf_damaged`, also for a version that is not 1. */
export function decodePlaces(content: Uint8Array): PayloadPlaces {
  const reader = new ByteReader(content);
  const field = (index: number): number => reader.u32(8 + 4 * index, 'the header of the seal');
  if (field(0) !== PAYLOAD_VERSION) throw damaged(`the seal has format version ${field(0)}, wanted ${PAYLOAD_VERSION}`);
  return {
    size: field(1),
    stub: field(2),
    program: field(3),
    count: field(4),
    records: field(5),
    recordsSize: field(6),
  };
}

/** Records one behind the other, each a multiple of 4 bytes. */
export function encodeRecords(records: readonly PayloadRecord[]): Uint8Array {
  const head = 12 + OWNER.length;
  const size = records.reduce((sum, record) => sum + head + alignUp(record.content.length, 4), 0);
  const writer = new ByteWriter(new Uint8Array(size));
  let offset = 0;
  for (const { type, content } of records) {
    writer.u32(offset, OWNER.length - 1);
    writer.u32(offset + 4, content.length);
    writer.u32(offset + 8, type);
    writer.bytes.set(OWNER, offset + 12);
    writer.bytes.set(content, offset + head);
    offset += head + alignUp(content.length, 4);
  }
  return writer.bytes;
}

/** Where the content of a record begins in encoded bytes; undefined where there is none of this type. @throws ElfError `elf_damaged` */
export function contentOffset(bytes: Uint8Array, type: number): number | undefined {
  const head = 12 + OWNER.length;
  let offset = 0;
  for (const record of decodeRecords(bytes)) {
    if (record.type === type) return offset + head;
    offset += head + alignUp(record.content.length, 4);
  }
  return undefined;
}

/** The records of encoded bytes. @throws ElfError `elf_damaged`. */
export function decodeRecords(bytes: Uint8Array): readonly PayloadRecord[] {
  const reader = new ByteReader(bytes);
  const records: PayloadRecord[] = [];
  const head = 12 + OWNER.length;
  for (let offset = 0; offset < bytes.length; ) {
    const size = reader.u32(offset + 4, 'a record of the seal');
    const type = reader.u32(offset + 8, 'a record of the seal');
    const owner = reader.slice(offset + 12, OWNER.length, 'a record of the seal');
    if (!OWNER.every((byte, index) => owner[index] === byte)) throw damaged('a record of the seal has a foreign owner');
    records.push({ type, content: reader.slice(offset + head, size, 'a record of the seal') });
    offset += head + alignUp(size, 4);
  }
  return records;
}

/** True when bytes begin with a record of this type. */
export function isRecord(bytes: Uint8Array, type: number): boolean {
  const owner = bytes.subarray(12, 12 + OWNER.length);
  return bytes[8] === type && OWNER.every((byte, index) => owner[index] === byte);
}
