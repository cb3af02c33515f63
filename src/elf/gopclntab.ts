import { LooseReader } from './bytes.ts';
import { textOf } from './go-moduledata.ts';
import type { ElfFile, Section } from './read.ts';

/**
 * Go's table of functions, lines and frames, which every Go binary carries, stripped ones too: its runtime needs it for tracebacks.
 * Sources of the layout: Go's debug/gosym (pclntab.go), runtime/symtab.go (pcHeader, moduledata, _func, pcvalue). Go 1.16 to 1.26.
 * The file may be damaged: each read is checked, and what does not fit is not found.
 */

/** A place in Go code. */
export interface GoPlace {
  /** With its package: `runtime.exit`, `main.(*T).Method`. */
  readonly function: string;
  /** As the compiler wrote it; undefined where the table does not say. */
  readonly file: string | undefined;
  readonly line: number | undefined;
  /** Distance from the stack pointer to the return address, in bytes. */
  readonly frameSize: number | undefined;
}

export interface GoTable {
  /** @param address - as linked, without the load bias, of the instruction itself */
  readonly placeOf: (address: number) => GoPlace | undefined;
}

const MAGIC_116 = 0xffff_fffa;
const MAGIC_118 = 0xffff_fff0;
const MAGIC_120 = 0xffff_fff1;
const POINTER_SIZE = 8;
const HEADER_SIZE = 72;
/** The header's bytes 6 and 7 on x86-64: instructions of 1 byte or more, pointers of 8. */
const X86_64_SIZES = 0x0801;

interface Header {
  /** Offset of the table in the file. */
  readonly at: number;
  readonly isOld: boolean;
  readonly quantum: number;
  readonly functions: number;
  readonly names: number;
  readonly units: number;
  readonly files: number;
  readonly values: number;
  readonly table: number;
  /** 0 where the linker leaves it to moduledata. */
  readonly text: number;
}

/** Finds the table of a Go binary; undefined where there is none that is understood. */
export function readGoTable(elf: ElfFile): GoTable | undefined {
  const reader = new LooseReader(elf.bytes);
  for (const { offset, addr } of candidates(elf, reader)) {
    const header = readHeader(reader, offset);
    const text = header?.isOld ? 0 : header && (header.text || textOf(elf, reader, addr, header.functions));
    if (header && text !== undefined) return { placeOf: (address) => placeOf(reader, header, text, address) };
  }
  return undefined;
}

/** The section of the table; what gcc links as position-independent has none before Go 1.26: the table is found by its first bytes. */
function* candidates(elf: ElfFile, reader: LooseReader): Generator<Pick<Section, 'offset' | 'addr'>> {
  const section = elf.sections.find(({ name }) => /^\.(data\.rel\.ro\.)?gopclntab$/.test(name));
  const data = elf.sections.find(({ name }) => name === '.data.rel.ro');
  if (section) yield section;
  if (section || !data) return;
  for (let at = 0; at + HEADER_SIZE <= data.size; at += POINTER_SIZE) {
    const magic = reader.u32(data.offset + at);
    if ((magic === MAGIC_118 || magic === MAGIC_120) && (reader.u32(data.offset + at + 4) ?? 0) >>> 16 === X86_64_SIZES)
      yield { offset: data.offset + at, addr: data.addr + at };
  }
}

function readHeader(reader: LooseReader, at: number): Header | undefined {
  const magic = reader.u32(at);
  const isOld = magic === MAGIC_116;
  if (!isOld && magic !== MAGIC_118 && magic !== MAGIC_120) return undefined;
  if (reader.bytes[at + 7] !== POINTER_SIZE) return undefined;
  const words = Array.from({ length: 8 }, (_, index) => reader.word(at + 8 + 8 * index));
  if (words.some((word) => word === undefined)) return undefined;
  const [functions = 0, , ...rest] = words as number[];
  const [text = 0, names = 0, units = 0, files = 0, values = 0, table = 0] = isOld ? [0, ...rest] : rest;
  const quantum = reader.bytes[at + 6] ?? 1;
  return { at, isOld, quantum, functions, names, units, files, values, table, text };
}

function placeOf(reader: LooseReader, header: Header, text: number, address: number): GoPlace | undefined {
  const entrySize = header.isOld ? 16 : 8;
  const table = header.at + header.table;
  const entryOf = (index: number): number | undefined =>
    header.isOld ? reader.word(table + index * entrySize) : reader.u32(table + index * entrySize);
  const target = address - text;
  let [low, high] = [0, header.functions];
  if (target < (entryOf(0) ?? Number.POSITIVE_INFINITY) || target >= (entryOf(high) ?? 0)) return undefined;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((entryOf(middle) ?? Number.POSITIVE_INFINITY) <= target) low = middle;
    else high = middle;
  }
  const offset = header.isOld ? reader.word(table + low * entrySize + 8) : reader.u32(table + low * entrySize + 4);
  const entry = entryOf(low);
  if (offset === undefined || entry === undefined) return undefined;
  // _func: entry (8 bytes until 1.17, else 4), then nameoff, args, deferreturn, pcsp, pcfile, pcln, npcdata, cuOffset.
  const fields = table + offset + (header.isOld ? 8 : 4);
  const name = reader.text(header.at + header.names + (reader.u32(fields) ?? -1));
  if (!name) return undefined;
  const value = (field: number): number | undefined => {
    const from = reader.u32(fields + 4 * field);
    return from ? valueAt(reader, header, header.at + header.values + from, target - entry) : undefined;
  };
  const line = value(5);
  return {
    function: name,
    file: fileOf(reader, header, value(4), reader.u32(fields + 4 * 7)),
    line,
    frameSize: value(3),
  };
}

function fileOf(
  reader: LooseReader,
  header: Header,
  file: number | undefined,
  unit: number | undefined,
): string | undefined {
  if (file === undefined || file < 0 || unit === undefined) return undefined;
  const offset = reader.u32(header.at + header.units + 4 * (unit + file));
  return offset === undefined ? undefined : reader.text(header.at + header.files + offset);
}

/** Decodes a table of values: pairs of a zigzag difference of the value and a difference of the address, both varints; starts at -1. */
function valueAt(reader: LooseReader, { quantum }: Header, start: number, target: number): number | undefined {
  let at = start;
  const varint = (): number | undefined => {
    let result = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = reader.bytes[at];
      if (byte === undefined) return undefined;
      at += 1;
      result += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return result;
    }
    return undefined;
  };
  let value = -1;
  let pc = 0;
  for (let first = true; ; first = false) {
    const zigzag = varint();
    const step = varint();
    if (zigzag === undefined || step === undefined || (zigzag === 0 && !first)) return undefined;
    value += zigzag % 2 === 1 ? -(zigzag + 1) / 2 : zigzag / 2;
    pc += step * quantum;
    if (target < pc) return value;
  }
}
