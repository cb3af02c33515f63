/** Reads what a seal put into a program, and gives the original back. */
import { ElfError } from '../base/errors.ts';
import { ByteReader, damaged } from './bytes.ts';
import * as format from './format.ts';
import type { LayoutKind } from './layout.ts';
import { sealMachine } from './machines.ts';
import {
  contentOffset,
  decodePlaces,
  decodeRecords,
  hasPayloadMagic,
  type PayloadPlaces,
  type PayloadRecord,
  RECORD,
} from './payload.ts';
import { type ElfFile, interpreterOf, readElf, type Segment } from './read.ts';
import { sealWarnings } from './sealable.ts';
import type { SealStubPlan } from './stubs/seal.ts';

/** What a sealed program holds. */
export interface Sealed {
  /** e_machine. */
  readonly machine: number;
  readonly policyText: string;
  /** SHA-256 of the policy's text and of the original file, 32 bytes each, as recorded when it was sealed. */
  readonly policyDigest: Uint8Array;
  readonly originalDigest: Uint8Array;
  /** Bytes of the original file. */
  readonly originalSize: number;
  readonly originalEntry: number;
  readonly layout: LayoutKind;
  /** Encoded instructions, 8 bytes each. */
  readonly program: Uint8Array;
  /** `paths:`, as paths-table.ts encodes them. */
  readonly paths?: Uint8Array;
  /** False when the entry or the stub is not as Selkie writes it: then nothing says that the program is confined. */
  readonly intact: boolean;
  readonly warnings: readonly string[];
  /** Original bytes of what sealing overwrote. */
  readonly ranges: readonly { readonly offset: number; readonly bytes: Uint8Array }[];
}

const LAYOUT_WARNINGS: { readonly [K in LayoutKind]?: string } = {
  'build-id-note':
    'its program header for the build id was given up: perf, coredumpctl and debuginfod find the id only through the section',
  note: 'a program header for notes was given up: the notes are found only through their section',
  moved: 'its program headers were moved: do not strip it',
};

/** True when a file holds a seal, of any version. */
export function hasSeal(elf: ElfFile): boolean {
  return sealSegment(elf) !== undefined;
}

/**
 * What the seal in a file says, or undefined for a program that is not sealed.
 * @throws ElfError as readElf does, and `elf_damaged` for a seal that cannot be read.
 */
export function inspectElf(bytes: Uint8Array): Sealed | undefined {
  const elf = readElf(bytes);
  const segment = sealSegment(elf);
  if (segment === undefined) return undefined;
  const content = bytes.subarray(segment.offset, segment.offset + segment.filesz);
  const places = decodePlaces(content);
  const reader = new ByteReader(content);
  const encoded = reader.slice(places.records, places.recordsSize, 'the records of the seal');
  const records = decodeRecords(encoded);
  const paths = records.find(({ type }) => type === RECORD.paths)?.content;
  const original = new ByteReader(theRecord(records, RECORD.original));
  const originalEntry = original.u64(8, 'the original entry');
  const layout = new TextDecoder().decode(theRecord(records, RECORD.layout)) as LayoutKind;
  const tampering = findTampering(elf, segment, content, places, encoded, originalEntry);
  const layoutWarning = LAYOUT_WARNINGS[layout];
  return {
    machine: elf.machine,
    policyText: new TextDecoder().decode(theRecord(records, RECORD.policyText)),
    policyDigest: theRecord(records, RECORD.policyDigest),
    originalDigest: original.slice(16, 32, 'the digest of the original'),
    originalSize: original.u64(0, 'the size of the original'),
    originalEntry,
    layout,
    program: reader.slice(places.program, places.count * 8, 'the program of the seal'),
    ...(paths && { paths }),
    intact: tampering.length === 0,
    warnings: [...tampering, ...(layoutWarning === undefined ? [] : [layoutWarning]), ...sealWarnings(elf)],
    ranges: records.filter((record) => record.type === RECORD.range).map(readRange),
  };
}

/**
 * The original file, byte for byte.
 * @throws ElfError `elf_not_sealed`; `elf_altered` when the file was changed after sealing; and as inspectElf does.
 */
export function unsealElf(bytes: Uint8Array, sha256: (bytes: Uint8Array) => Uint8Array): Uint8Array {
  const sealed = inspectElf(bytes);
  if (sealed === undefined) throw new ElfError('elf_not_sealed', 'Cannot unseal the ELF file: it is not sealed');
  if (sealed.originalSize > bytes.length) {
    throw altered(`it has ${bytes.length} bytes, the original had ${sealed.originalSize}`);
  }
  // A copy also where `bytes` is a Buffer, whose slice() is a view.
  const original = Uint8Array.from(bytes.subarray(0, sealed.originalSize));
  for (const range of sealed.ranges) {
    if (range.offset + range.bytes.length > original.length) throw altered('a header of the original lies outside');
    original.set(range.bytes, range.offset);
  }
  const digest = sha256(original);
  if (
    digest.length !== sealed.originalDigest.length ||
    digest.some((byte, index) => byte !== sealed.originalDigest[index])
  ) {
    throw altered('the bytes below the seal are not those of the original');
  }
  return original;
}

function altered(problem: string): ElfError {
  return new ElfError(
    'elf_altered',
    `Cannot unseal the ELF file: it was changed after sealing (strip, objcopy, patchelf?): ${problem}`,
  );
}

function sealSegment(elf: ElfFile): Segment | undefined {
  return elf.segments.find(
    (segment) =>
      segment.type === format.PT_LOAD &&
      hasPayloadMagic(elf.bytes.subarray(segment.offset, segment.offset + segment.filesz)),
  );
}

function theRecord(records: readonly PayloadRecord[], type: number): Uint8Array {
  const found = records.filter((record) => record.type === type);
  if (found.length !== 1 || found[0] === undefined)
    throw damaged(`the seal has ${found.length} records of type ${type}, wanted 1`);
  return found[0].content;
}

function readRange(record: PayloadRecord): { offset: number; bytes: Uint8Array } {
  const reader = new ByteReader(record.content);
  const offset = reader.u64(0, 'a range of the seal');
  return { offset, bytes: record.content.subarray(8) };
}

/** Compares what decides over confinement with what Selkie would write. */
function findTampering(
  elf: ElfFile,
  segment: Segment,
  content: Uint8Array,
  places: PayloadPlaces,
  records: Uint8Array,
  entry: number,
): string[] {
  const problems: string[] = [];
  if (elf.entry !== segment.vaddr + places.stub)
    problems.push('its entry does not lead to the seal: it starts unconfined');
  if ((segment.flags & format.PF_X) === 0) problems.push('the segment of the seal is not executable');
  const distance = entry - segment.vaddr - places.stub;
  const wanted = Math.abs(distance) < 0x7fff_0000 ? stubOf(elf, places, records, distance) : undefined;
  if (wanted === undefined || wanted.some((byte, index) => content[places.stub + index] !== byte)) {
    problems.push('the code of the seal is not what this version of Selkie writes');
  }
  return problems;
}

function stubOf(elf: ElfFile, places: PayloadPlaces, records: Uint8Array, distance: number): Uint8Array | undefined {
  const program = places.program - places.stub;
  const paths = sealPaths(elf, records, places.records - places.stub);
  return Math.abs(program) < 0x7fff_0000
    ? sealMachine(elf.machine)?.sealStub({ program, count: places.count, entry: distance, ...paths })
    : undefined;
}

/** What the stub must know of `paths:`. @param records - encoded, and how far they are from the stub */
export function sealPaths(elf: ElfFile, records: Uint8Array, distance: number): Pick<SealStubPlan, 'paths'> {
  const content = contentOffset(records, RECORD.paths);
  if (content === undefined) return {};
  return { paths: { table: distance + content, hasLoader: interpreterOf(elf) !== undefined } };
}
