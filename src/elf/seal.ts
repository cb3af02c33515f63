/** Puts a policy into a program: a new segment with filter, stub and records, and e_entry on the stub. */
import { ElfError } from '../base/errors.ts';
import { BPF_MAXINSNS } from '../facts/seccomp.ts';
import { alignUp, ByteWriter } from './bytes.ts';
import * as format from './format.ts';
import { hasSeal } from './inspect.ts';
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
  /** The policy as people read it; `inspect` shows it. */
  readonly policyText: string;
  readonly sha256: Digest;
}

export interface SealResult {
  readonly bytes: Uint8Array;
  readonly layout: LayoutKind;
  /** Sentences on what the seal cannot do for this program. */
  readonly warnings: readonly string[];
}

/**
 * The sealed copy of a program. Same inputs, same bytes.
 * @throws ElfError `elf_not_elf`, `elf_script`, `elf_class`, `elf_machine`, `elf_type`, `elf_damaged`, `elf_sealed`, `elf_no_room`.
 * @throws RangeError when the program is not 1 to 4096 instructions.
 */
export function sealElf(original: Uint8Array, payload: SealPayload): SealResult {
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
  requireCounts(elf);
  const layout = chooseLayout(elf);
  return { bytes: write(elf, layout, payload), layout: layout.kind, warnings: sealWarnings(elf) };
}

/** One more header must not reach the counts that mean "see elsewhere": PN_XNUM and SHN_LORESERVE of the ELF format. */
function requireCounts(elf: ElfFile): void {
  if (elf.segments.length + 1 < 0xffff && elf.sections.length + 1 < 0xff00) return;
  const found = `${elf.segments.length} program headers and ${elf.sections.length} sections`;
  throw new ElfError('elf_no_room', `Cannot seal the ELF file: no room for one more header: found ${found}`);
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

function write(elf: ElfFile, layout: Layout, payload: SealPayload): Uint8Array {
  const records = encodeRecords(recordsFor(elf, layout, payload));
  const plan = makePlan(elf, layout, payload.program.length, records.length);
  const stub = machineOf(elf).sealStub({
    program: plan.program - plan.stub,
    count: payload.program.length / 8,
    entry: elf.entry - plan.vaddr - plan.stub,
  });
  const moved =
    layout.kind === 'moved' ? { offset: plan.offset + plan.table, vaddr: plan.vaddr + plan.table } : undefined;
  const table = newTable(elf, layout, { ...plan, page: machineOf(elf).page }, moved);
  const segmentEnd = plan.offset + plan.size;
  const sections = newSectionTable(elf, plan, alignUp(segmentEnd, 8));
  const bytes = new Uint8Array(sections ? alignUp(segmentEnd, 8) + sections.bytes.length : segmentEnd);
  bytes.set(elf.bytes);
  const { stub: stubAt, program, records: recordsAt } = plan;
  const places = {
    size: plan.size,
    stub: stubAt,
    program,
    count: payload.program.length / 8,
    records: recordsAt,
    recordsSize: records.length,
  };
  bytes.set(encodePlaces(places), plan.offset);
  bytes.set(stub, plan.offset + stubAt);
  bytes.set(payload.program, plan.offset + program);
  bytes.set(records, plan.offset + recordsAt);
  bytes.set(table, moved?.offset ?? elf.phoff);
  if (sections) bytes.set(sections.bytes, alignUp(segmentEnd, 8));
  writeFileHeader(bytes, elf, plan.vaddr + stubAt, table.length / format.PHDR_SIZE, moved?.offset, sections?.offset);
  return bytes;
}

function makePlan(elf: ElfFile, layout: Layout, programSize: number, recordsSize: number): Plan {
  const { sealStub, page } = machineOf(elf);
  const stubSize = sealStub({ program: 0, count: 1, entry: 0 }).length;
  const stub = alignUp(PAYLOAD_HEADER_SIZE, 16);
  const program = alignUp(stub + stubSize, 8);
  const records = program + programSize;
  const table = alignUp(records + recordsSize, 8);
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

function writeFileHeader(
  bytes: Uint8Array,
  elf: ElfFile,
  entry: number,
  segments: number,
  phoff: number | undefined,
  shoff: number | undefined,
): void {
  const writer = new ByteWriter(bytes);
  const { EHDR } = format;
  writer.u64(EHDR.entry, entry);
  writer.u16(EHDR.phnum, segments);
  if (phoff !== undefined) writer.u64(EHDR.phoff, phoff);
  if (shoff !== undefined) {
    writer.u64(EHDR.shoff, shoff);
    writer.u16(EHDR.shnum, elf.sections.length + 1);
  }
}
