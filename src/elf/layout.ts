/**
 * Where the new program header goes. Kernels before 6.x map .bss right only when PT_LOADs stand in ascending order, so an entry that is
 * given up is never reused in place: the table is written anew, the new PT_LOAD behind the last one.
 */
import { ElfError } from '../base/errors.ts';
import { ByteReader, ByteWriter } from './bytes.ts';
import * as format from './format.ts';
import type { ElfFile, Segment } from './read.ts';

/**
 * Where the room came from: a PT_NOTE that only repeats what PT_GNU_PROPERTY says, free bytes behind the table, another
 * PT_NOTE (of which only the program header goes), or a new table inside the new segment.
 */
export type LayoutKind = 'property-note' | 'room' | 'build-id-note' | 'note' | 'moved';

export interface Layout {
  readonly kind: LayoutKind;
  /** Index of the program header that is given up. */
  readonly freed: number | undefined;
  /** Bytes by which the PT_LOAD that holds the table must grow to hold it still. */
  readonly growth: number;
}

const PAGE = 4096;

/** Chooses the layout for a file. */
export function chooseLayout(elf: ElfFile): Layout {
  const notes = elf.segments.filter((segment) => segment.type === format.PT_NOTE);
  const hasProperty = elf.segments.some((segment) => segment.type === format.PT_GNU_PROPERTY);
  const types = new Map(notes.map((note) => [note, noteTypes(elf, note)]));
  const repeated = notes.find((note) => {
    const names = types.get(note) ?? [];
    return hasProperty && names.length > 0 && names.every((name) => name === `GNU ${format.NT_GNU_PROPERTY_TYPE_0}`);
  });
  if (repeated) return { kind: 'property-note', freed: repeated.index, growth: 0 };
  const growth = roomBehindTable(elf);
  if (growth !== undefined) return { kind: 'room', freed: undefined, growth };
  const hasBuildId = (note: Segment): boolean => (types.get(note) ?? []).includes(`GNU ${format.NT_GNU_BUILD_ID}`);
  const other = notes.find((note) => !hasBuildId(note));
  if (other) return { kind: 'note', freed: other.index, growth: 0 };
  if (notes[0]) return { kind: 'build-id-note', freed: notes[0].index, growth: 0 };
  return { kind: 'moved', freed: undefined, growth: 0 };
}

/** Owner and type of each note of a PT_NOTE; empty when they cannot be read. */
function noteTypes(elf: ElfFile, note: Segment): string[] {
  const content = elf.bytes.subarray(note.offset, note.offset + note.filesz);
  const reader = new ByteReader(content);
  const boundary = note.align === 8 ? 8 : 4;
  const padded = (size: number): number => Math.ceil(size / boundary) * boundary;
  const names: string[] = [];
  try {
    for (let offset = 0; offset + 12 <= content.length; ) {
      const nameSize = reader.u32(offset, 'a note');
      const owner = new TextDecoder().decode(reader.slice(offset + 12, nameSize, 'a note')).replace(/\0+$/, '');
      names.push(`${owner} ${reader.u32(offset + 8, 'a note')}`);
      offset += padded(12 + nameSize) + padded(reader.u32(offset + 4, 'a note'));
    }
  } catch (error) {
    if (error instanceof ElfError) return [];
    throw error;
  }
  return names;
}

/**
 * Whether one more program header fits behind the table: zeros that belong to no section and to no segment but the PT_LOAD around
 * the table. Undefined when not, else the bytes by which that PT_LOAD grows, within its last page.
 */
function roomBehindTable(elf: ElfFile): number | undefined {
  const start = elf.phoff + elf.segments.length * format.PHDR_SIZE;
  const end = start + format.PHDR_SIZE;
  // Without section headers nobody can tell padding from data.
  if (elf.sections.length === 0 || end > elf.bytes.length) return undefined;
  if (elf.bytes.subarray(start, end).some((byte) => byte !== 0)) return undefined;
  const holder = elf.segments.find(
    (entry) => entry.type === format.PT_LOAD && entry.offset <= elf.phoff && start <= entry.offset + entry.filesz,
  );
  if (holder === undefined) return undefined;
  const overlaps = (offset: number, size: number): boolean => size > 0 && offset < end && offset + size > start;
  const inSection = elf.sections.some(
    (section) =>
      section.type !== format.SHT_NOBITS && section.type !== format.SHT_NULL && overlaps(section.offset, section.size),
  );
  const inTable = overlaps(elf.shoff, elf.sections.length * format.SHDR_SIZE);
  const inSegment = elf.segments.some((entry) => entry !== holder && overlaps(entry.offset, entry.filesz));
  if (inSection || inTable || inSegment) return undefined;
  const growth = Math.max(0, end - holder.offset - holder.filesz);
  if (growth === 0) return 0;
  const last = holder.offset + holder.filesz - 1;
  const samePage = Math.floor(last / PAGE) === Math.floor((end - 1) / PAGE);
  return samePage && holder.filesz === holder.memsz ? growth : undefined;
}

/** The new PT_LOAD's place; it is mapped whole from the file, read-only and executable. */
export interface NewSegment {
  readonly offset: number;
  readonly vaddr: number;
  readonly size: number;
  /** p_align. */
  readonly page: number;
}

/** Where the table will stand after sealing. */
export interface TablePlace {
  readonly offset: number;
  readonly vaddr: number | undefined;
}

/** The table of program headers with the new PT_LOAD in it; `moved` is where it goes, undefined when it stays. */
export function newTable(elf: ElfFile, layout: Layout, added: NewSegment, moved: TablePlace | undefined): Uint8Array {
  const kept = elf.segments.filter((segment) => segment.index !== layout.freed);
  const lastLoad = kept.findLastIndex((segment) => segment.type === format.PT_LOAD);
  const entries = kept.map((segment) => rewrittenEntry(elf, segment, layout, kept.length + 1, moved));
  entries.splice(lastLoad + 1, 0, loadEntry(added));
  const table = new Uint8Array(entries.length * format.PHDR_SIZE);
  entries.forEach((entry, index) => {
    table.set(entry, index * format.PHDR_SIZE);
  });
  return table;
}

function rewrittenEntry(
  elf: ElfFile,
  segment: Segment,
  layout: Layout,
  count: number,
  moved: TablePlace | undefined,
): Uint8Array {
  const start = elf.phoff + segment.index * format.PHDR_SIZE;
  const writer = new ByteWriter(Uint8Array.from(elf.bytes.subarray(start, start + format.PHDR_SIZE)));
  const { PHDR } = format;
  if (segment.type === format.PT_PHDR) {
    writer.u64(PHDR.filesz, count * format.PHDR_SIZE);
    writer.u64(PHDR.memsz, count * format.PHDR_SIZE);
    if (moved?.vaddr !== undefined) {
      writer.u64(PHDR.offset, moved.offset);
      writer.u64(PHDR.vaddr, moved.vaddr);
      writer.u64(PHDR.paddr, moved.vaddr);
    }
  }
  const holdsTable =
    segment.type === format.PT_LOAD && segment.offset <= elf.phoff && elf.phoff < segment.offset + segment.filesz;
  if (holdsTable && layout.growth > 0) {
    writer.u64(PHDR.filesz, segment.filesz + layout.growth);
    writer.u64(PHDR.memsz, segment.memsz + layout.growth);
  }
  return writer.bytes;
}

function loadEntry(added: NewSegment): Uint8Array {
  const writer = new ByteWriter(new Uint8Array(format.PHDR_SIZE));
  const { PHDR } = format;
  writer.u32(PHDR.type, format.PT_LOAD);
  writer.u32(PHDR.flags, format.PF_R | format.PF_X);
  writer.u64(PHDR.offset, added.offset);
  writer.u64(PHDR.vaddr, added.vaddr);
  writer.u64(PHDR.paddr, added.vaddr);
  writer.u64(PHDR.filesz, added.size);
  writer.u64(PHDR.memsz, added.size);
  writer.u64(PHDR.align, added.page);
  return writer.bytes;
}
