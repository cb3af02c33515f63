/** Puts a policy into a program: a new segment with filter, stub and records, and e_entry on the stub. */
import { ElfError } from '../base/errors.ts';
import { BPF_MAXINSNS } from '../facts/seccomp.ts';
import { alignUp, ByteWriter } from './bytes.ts';
import * as format from './format.ts';
import { hasSeal, sealPaths } from './inspect.ts';
import { chooseLayout, type Layout, type LayoutKind, newTable } from './layout.ts';
import { type Machine, sealMachine } from './machines.ts';
import { encodePlaces, encodeRecords, PAYLOAD_HEADER_SIZE, type PayloadRecord, RECORD } from './payload.ts';
import { type ElfFile, readElf } from './read.ts';
import { endOfLoads, isAddress, loadsOf, requireSealable, sealWarnings } from './sealable.ts';
import { newSectionTable } from './section-table.ts';

export { inspectElf, type Sealed, unsealElf } from './inspect.ts';
export { isElf } from './read.ts';

const PAGE = 4096;

/** SHA-256 of bytes, 32 bytes; passed in because this layer has no cryptography of its own. */
export type Digest = (bytes: Uint8Array) => Uint8Array;

export interface SealPayload {
  /** Encoded instructions (8 bytes each) that answer the probe call: compiled with `probe`. */
  readonly program: Uint8Array;
  /** `paths:`, as paths-table.ts encodes them; absent: no Landlock. */
  readonly paths?: Uint8Array;
  /** The policy as people read it; `inspect` shows it. */
  readonly policyText: string;
  readonly sha256: Digest;
}

/** Bytes that stand at an offset of a file. */
export interface Edit {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export interface SealPlan {
  /** What makes the sealed file of the original; the last edit ends it. Whoever writes files need not hold a second copy in memory. */
  readonly edits: readonly Edit[];
  /** Bytes of the sealed file. */
  readonly size: number;
  readonly layout: LayoutKind;
  /** Sentences on what the seal cannot do for this program. */
  readonly warnings: readonly string[];
}

export interface SealResult extends SealPlan {
  readonly bytes: Uint8Array;
}

/**
 * The sealed copy of a program. Same inputs, same bytes.
 * @throws ElfError, RangeError as planSeal does.
 */
export function sealElf(original: Uint8Array, payload: SealPayload): SealResult {
  const plan = planSeal(original, payload);
  const bytes = new Uint8Array(plan.size);
  bytes.set(original);
  for (const edit of plan.edits) bytes.set(edit.bytes, edit.offset);
  return { ...plan, bytes };
}

/**
 * What to write over a copy of a program, and behind it, to seal it.
 * @throws ElfError `elf_not_elf`, `elf_script`, `elf_class`, `elf_machine`, `elf_type`, `elf_damaged`, `elf_sealed`, `elf_no_room`.
 * @throws RangeError when the program is not 1 to 4096 instructions.
 */
export function planSeal(original: Uint8Array, payload: SealPayload): SealPlan {
  const count = payload.program.length / 8;
  if (!Number.isInteger(count) || count < 1 || count > BPF_MAXINSNS) {
    throw new RangeError(
      `a program has 1 to ${BPF_MAXINSNS} instructions of 8 bytes, this one has ${payload.program.length} bytes`,
    );
  }
  const elf = readElf(original);
  requireSealable(elf);
  if (hasSeal(elf)) {
    throw new ElfError(
      'elf_sealed',
      'Cannot seal the ELF file: it is sealed already: --force replaces its filter, `selkie unseal` gives the original back',
    );
  }
  requireSections(elf);
  const layout = chooseLayout(elf);
  requireHeaders(elf, layout);
  return {
    ...edit(elf, layout, payload),
    layout: layout.kind,
    warnings: [...sealWarnings(elf), ...headerWarnings(elf, layout)],
  };
}

/** One more section must not reach the number that means "see elsewhere": SHN_LORESERVE of the ELF format. */
function requireSections(elf: ElfFile): void {
  if (elf.sections.length + 1 < 0xff00) return;
  throw new ElfError(
    'elf_no_room',
    `Cannot seal the ELF file: no room for one more section: found ${elf.sections.length}`,
  );
}

/** The kernel reads at most 64 KiB of program headers, and starts no file with more: load_elf_phdrs() of fs/binfmt_elf.c. */
const MOST_PROGRAM_HEADERS = Math.floor(65536 / format.PHDR_SIZE);

/** Older kernels read a page of them; tried on Linux 5.10 and 6.1. */
const MOST_ON_OLD_KERNELS = Math.floor(4096 / format.PHDR_SIZE);

/** How many program headers the sealed file has. */
function headerCount(elf: ElfFile, layout: Layout): number {
  return elf.segments.length + (layout.freed === undefined ? 1 : 0);
}

function requireHeaders(elf: ElfFile, layout: Layout): void {
  if (headerCount(elf, layout) <= MOST_PROGRAM_HEADERS) return;
  const found = `found ${elf.segments.length}, and the kernel takes ${MOST_PROGRAM_HEADERS}`;
  throw new ElfError('elf_no_room', `Cannot seal the ELF file: no room for one more program header: ${found}`);
}

/** Says where the sealed file does not start though the original does. */
function headerWarnings(elf: ElfFile, layout: Layout): string[] {
  const count = headerCount(elf, layout);
  if (elf.segments.length > MOST_ON_OLD_KERNELS || count <= MOST_ON_OLD_KERNELS) return [];
  return [`it has ${count} program headers: Linux 6.1 and older start no file with more than ${MOST_ON_OLD_KERNELS}`];
}

/** `requireSealable` has passed. */
function machineOf(elf: ElfFile): Machine {
  return sealMachine(elf.machine) as Machine;
}

/** Places of everything that is added. */
interface Plan {
  readonly offset: number;
  readonly vaddr: number;
  readonly size: number;
  readonly stub: number;
  readonly program: number;
  readonly records: number;
  /** Where moved program headers stand in the segment. */
  readonly table: number;
}

function edit(elf: ElfFile, layout: Layout, payload: SealPayload): Pick<SealPlan, 'edits' | 'size'> {
  const records = encodeRecords(recordsFor(elf, layout, payload));
  const plan = makePlan(elf, layout, payload, records);
  const moved =
    layout.kind === 'moved' ? { offset: plan.offset + plan.table, vaddr: plan.vaddr + plan.table } : undefined;
  const table = newTable(elf, layout, { ...plan, page: machineOf(elf).page }, moved);
  const segmentEnd = plan.offset + plan.size;
  const sections = newSectionTable(elf, plan, alignUp(segmentEnd, 8));
  const size = sections ? alignUp(segmentEnd, 8) + sections.bytes.length : segmentEnd;
  // From the end of the original: padding, the segment, the section table.
  const added = new Uint8Array(size - elf.bytes.length);
  const put = (bytes: Uint8Array, offset: number): void => added.set(bytes, offset - elf.bytes.length);
  put(segmentBytes(elf, plan, payload, records), plan.offset);
  if (moved) put(table, moved.offset);
  if (sections) put(sections.bytes, alignUp(segmentEnd, 8));
  const entry = plan.vaddr + plan.stub;
  const header = newFileHeader(elf, entry, table.length / format.PHDR_SIZE, moved?.offset, sections?.offset);
  const edits = [
    { offset: 0, bytes: header },
    ...(moved ? [] : [{ offset: elf.phoff, bytes: table }]),
    { offset: elf.bytes.length, bytes: added },
  ];
  return { edits, size };
}

/** The segment without a table of program headers: places, stub, program, records. */
function segmentBytes(elf: ElfFile, plan: Plan, payload: SealPayload, records: Uint8Array): Uint8Array {
  const { stub, program, records: recordsAt, size } = plan;
  const count = payload.program.length / 8;
  const bytes = new Uint8Array(size);
  bytes.set(encodePlaces({ size, stub, program, count, records: recordsAt, recordsSize: records.length }));
  const paths = sealPaths(elf, records, recordsAt - stub);
  const code = machineOf(elf).sealStub({
    program: program - stub,
    count,
    entry: elf.entry - plan.vaddr - stub,
    ...paths,
  });
  bytes.set(code, stub);
  bytes.set(payload.program, program);
  bytes.set(records, recordsAt);
  return bytes;
}

function makePlan(elf: ElfFile, layout: Layout, payload: SealPayload, encoded: Uint8Array): Plan {
  const { sealStub, page } = machineOf(elf);
  const stubSize = sealStub({ program: 0, count: 1, entry: 0, ...sealPaths(elf, encoded, 0) }).length;
  const stub = alignUp(PAYLOAD_HEADER_SIZE, 16);
  const program = alignUp(stub + stubSize, 8);
  const records = program + payload.program.length;
  const table = alignUp(records + encoded.length, 8);
  const tableSize = layout.kind === 'moved' ? (elf.segments.length + 1) * format.PHDR_SIZE : 0;
  const offset = alignUp(elf.bytes.length, PAGE);
  // Kernels before 5.18 take AT_PHDR from the first PT_LOAD's distance between address and file, so a moved table keeps that.
  const first = loadsOf(elf)[0];
  const distance = layout.kind === 'moved' && first ? first.vaddr - first.offset : 0;
  // Address and offset agree within the largest page, which no other segment has a part of.
  const vaddr = Math.max(alignUp(endOfLoads(elf), page) + (offset % page), distance + offset);
  const size = table + tableSize;
  const reach = vaddr + size - Math.min(elf.entry, vaddr);
  if (!isAddress(vaddr + size) || reach > 0x7fff_ffff) {
    throw new ElfError(
      'elf_no_room',
      `Cannot seal the ELF file: no room for a segment behind 0x${vaddr.toString(16)} within 2 GiB of the entry`,
    );
  }
  return { offset, vaddr, size, stub, program, records, table };
}

/** What `inspect` shows, and what `unseal` needs to give the original back byte for byte. */
function recordsFor(elf: ElfFile, layout: Layout, payload: SealPayload): PayloadRecord[] {
  const text = new TextEncoder().encode(payload.policyText);
  const original = new ByteWriter(new Uint8Array(16 + 32));
  original.u64(0, elf.bytes.length);
  original.u64(8, elf.entry);
  original.bytes.set(payload.sha256(elf.bytes), 16);
  const tableSize = elf.segments.length * format.PHDR_SIZE + (layout.kind === 'room' ? format.PHDR_SIZE : 0);
  return [
    { type: RECORD.original, content: original.bytes },
    { type: RECORD.layout, content: new TextEncoder().encode(layout.kind) },
    { type: RECORD.policyDigest, content: payload.sha256(text) },
    { type: RECORD.policyText, content: text },
    ...(payload.paths ? [{ type: RECORD.paths, content: payload.paths }] : []),
    rangeRecord(elf, 0, format.EHDR_SIZE),
    ...(layout.kind === 'moved' ? [] : [rangeRecord(elf, elf.phoff, tableSize)]),
  ];
}

function rangeRecord(elf: ElfFile, offset: number, size: number): PayloadRecord {
  const writer = new ByteWriter(new Uint8Array(8 + size));
  writer.u64(0, offset);
  writer.bytes.set(elf.bytes.subarray(offset, offset + size), 8);
  return { type: RECORD.range, content: writer.bytes };
}

function newFileHeader(
  elf: ElfFile,
  entry: number,
  segments: number,
  phoff: number | undefined,
  shoff: number | undefined,
): Uint8Array {
  const writer = new ByteWriter(Uint8Array.from(elf.bytes.subarray(0, format.EHDR_SIZE)));
  const { EHDR } = format;
  writer.u64(EHDR.entry, entry);
  writer.u16(EHDR.phnum, segments);
  if (phoff !== undefined) writer.u64(EHDR.phoff, phoff);
  if (shoff !== undefined) {
    writer.u64(EHDR.shoff, shoff);
    writer.u16(EHDR.shnum, elf.sections.length + 1);
  }
  return writer.bytes;
}
