import { PT_LOAD } from './format.ts';
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
/** Words of moduledata before `text`: pcHeader, six slices, findfunctab, minpc, maxpc. */
const MODULE_TEXT = 22;
const MODULE_FTAB_LENGTH = 17;
const RELA_SIZE = 24;
const R_X86_64_RELATIVE = 8;

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
  const reader = new Reader(elf.bytes);
  for (const { offset, addr } of candidates(elf, reader)) {
    const header = readHeader(reader, offset);
    const text = header?.isOld ? 0 : header && (header.text || textOf(elf, reader, addr, header.functions));
    if (header && text !== undefined) return { placeOf: (address) => placeOf(reader, header, text, address) };
  }
  return undefined;
}

/** The section of the table; what gcc links as position-independent has none before Go 1.26: the table is found by its first bytes. */
function* candidates(elf: ElfFile, reader: Reader): Generator<Pick<Section, 'offset' | 'addr'>> {
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

/** Little-endian reads; what is outside of the file is undefined. */
class Reader {
  readonly bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u32(at: number): number | undefined {
    return at >= 0 && at + 4 <= this.bytes.length ? this.#view.getUint32(at, true) : undefined;
  }

  word(at: number): number | undefined {
    const [low, high] = [this.u32(at), this.u32(at + 4)];
    return low === undefined || high === undefined ? undefined : high * 2 ** 32 + low;
  }

  text(at: number): string | undefined {
    const end = at < 0 || at >= this.bytes.length ? -1 : this.bytes.indexOf(0, at);
    return end < 0 || end - at > 4096 ? undefined : new TextDecoder().decode(this.bytes.subarray(at, end));
  }
}

function readHeader(reader: Reader, at: number): Header | undefined {
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

/**
 * moduledata.text, by the only place that points to the table and has its number of functions: in the file, or in position-independent
 * programs among what ld.so or the start code relocates.
 */
function textOf(elf: ElfFile, reader: Reader, address: number, functions: number): number | undefined {
  for (const { name, offset, size } of elf.sections) {
    if (!/^\.(go\.module|noptrdata|data|data\.rel\.ro)/.test(name)) continue;
    for (let at = offset; at + 8 * (MODULE_TEXT + 1) <= offset + size; at += 8) {
      if (reader.word(at) !== address || reader.word(at + 8 * MODULE_FTAB_LENGTH) !== functions + 1) continue;
      return reader.word(at + 8 * MODULE_TEXT) || undefined;
    }
  }
  return relocatedText(elf, reader, address, functions);
}

/** The same by .rela.dyn: Elf64_Rela is the place 8 | type 4 | symbol 4 | addend 8, and R_X86_64_RELATIVE puts the addend there (psABI, 4.4.1). */
function relocatedText(elf: ElfFile, reader: Reader, address: number, functions: number): number | undefined {
  const section = elf.sections.find(({ name }) => name === '.rela.dyn' || name === '.rela');
  if (!section) return undefined;
  const end = section.offset + section.size - RELA_SIZE;
  const valueOf = (place: number): number | undefined => {
    for (let at = section.offset; at <= end; at += RELA_SIZE)
      if (reader.u32(at) === place % 2 ** 32 && reader.word(at) === place && reader.u32(at + 8) === R_X86_64_RELATIVE)
        return reader.word(at + 16);
    return undefined;
  };
  for (let at = section.offset; at <= end; at += RELA_SIZE) {
    const module = reader.word(at + 16) === address ? reader.word(at) : undefined;
    const offset = module === undefined ? undefined : offsetOf(elf, module);
    if (module === undefined || offset === undefined || reader.u32(at + 8) !== R_X86_64_RELATIVE) continue;
    if (reader.word(offset + 8 * MODULE_FTAB_LENGTH) === functions + 1) return valueOf(module + 8 * MODULE_TEXT);
  }
  return undefined;
}

/** Where in the file an address is mapped from. */
function offsetOf(elf: ElfFile, address: number): number | undefined {
  const holds = elf.segments.find(
    ({ type, vaddr, filesz }) => type === PT_LOAD && address >= vaddr && address < vaddr + filesz,
  );
  return holds && address - holds.vaddr + holds.offset;
}

function placeOf(reader: Reader, header: Header, text: number, address: number): GoPlace | undefined {
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
  reader: Reader,
  header: Header,
  file: number | undefined,
  unit: number | undefined,
): string | undefined {
  if (file === undefined || file < 0 || unit === undefined) return undefined;
  const offset = reader.u32(header.at + header.units + 4 * (unit + file));
  return offset === undefined ? undefined : reader.text(header.at + header.files + offset);
}

/** Decodes a table of values: pairs of a zigzag difference of the value and a difference of the address, both varints; starts at -1. */
function valueAt(reader: Reader, { quantum }: Header, start: number, target: number): number | undefined {
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
