import { ByteWriter } from './bytes.ts';
import * as format from './format.ts';

/** The ELF file around generated programs: position-dependent and static, for any machine. */

/** Where the file is mapped: 4 MiB, the usual place of static programs, above every vm.mmap_min_addr, on a boundary of every page size. */
export const BASE = 0x40_0000n;
const BOUNDARY = 0x1_0000;

/** Gives the absolute address of a label. */
export type AddressOf = (label: string) => bigint;

function headerSize(notes: Uint8Array | undefined): number {
  return format.EHDR_SIZE + (notes ? 3 : 2) * format.PHDR_SIZE;
}

/** The address of the first byte of code. */
export function codeAddress(notes?: Uint8Array): bigint {
  return BASE + BigInt(headerSize(notes));
}

/**
 * An executable of one read-only, executable segment; it has its stack only, not executable.
 *
 * @param machine - e_machine
 * @param code - position-dependent code for `codeAddress`, entered at its first byte
 * @param notes - encoded ELF notes, which stand behind the code
 */
export function staticFile(machine: number, code: Uint8Array, notes?: Uint8Array): Uint8Array {
  const header = headerSize(notes);
  const notesAt = Math.ceil((header + code.length) / 4) * 4;
  const writer = new ByteWriter(new Uint8Array(notes ? notesAt + notes.length : header + code.length));
  const size = writer.bytes.length;
  writer.bytes.set(code, header);
  writeHeader(writer, machine, header);
  let at = format.EHDR_SIZE;
  const add = (type: number, flags: number, offset: number, length: number): void => {
    writeSegment(writer, at, type, flags, offset, length);
    at += format.PHDR_SIZE;
  };
  add(format.PT_LOAD, format.PF_R | format.PF_X, 0, size);
  add(format.PT_GNU_STACK, format.PF_R | format.PF_W, 0, 0);
  if (notes) {
    add(format.PT_NOTE, format.PF_R, notesAt, notes.length);
    writer.bytes.set(notes, notesAt);
  }
  return writer.bytes;
}

function writeHeader(writer: ByteWriter, machine: number, header: number): void {
  const { EHDR } = format;
  // ELFMAG, ELFCLASS64, ELFDATA2LSB, EV_CURRENT.
  writer.bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  writer.u16(EHDR.type, format.ET_EXEC);
  writer.u16(EHDR.machine, machine);
  writer.u32(EHDR.version, 1);
  writer.u64(EHDR.entry, Number(BASE) + header);
  writer.u64(EHDR.phoff, format.EHDR_SIZE);
  writer.u16(EHDR.ehsize, format.EHDR_SIZE);
  writer.u16(EHDR.phentsize, format.PHDR_SIZE);
  writer.u16(EHDR.phnum, (header - format.EHDR_SIZE) / format.PHDR_SIZE);
  writer.u16(EHDR.shentsize, format.SHDR_SIZE);
}

function writeSegment(writer: ByteWriter, at: number, type: number, flags: number, offset: number, size: number): void {
  const { PHDR } = format;
  const address = type === format.PT_GNU_STACK ? 0 : Number(BASE) + offset;
  writer.u32(at + PHDR.type, type);
  writer.u32(at + PHDR.flags, flags);
  writer.u64(at + PHDR.offset, offset);
  writer.u64(at + PHDR.vaddr, address);
  writer.u64(at + PHDR.paddr, address);
  writer.u64(at + PHDR.filesz, size);
  writer.u64(at + PHDR.memsz, size);
  writer.u64(at + PHDR.align, type === format.PT_LOAD ? BOUNDARY : 4);
}
