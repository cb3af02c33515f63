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

/** What both assemblers emit data by. */
interface DataAssembler {
  label(name: string): this;
  text(text: string): this;
  data(bytes: Uint8Array): this;
  u64(value: bigint): this;
  align(boundary: number): this;
}

/** The command that a generated program executes. */
export interface Target {
  /** The file: absolute or relative to the working directory; PATH is not searched. */
  readonly path: string;
  readonly argv: readonly string[];
}

/** Data labels `path`, `argv`, and `shell`, `shellArgv`: what execvp(3) runs where the kernel says ENOEXEC. */
export function emitTarget(code: DataAssembler, target: Target, addressOf: AddressOf): void {
  code.label('path').text(`${target.path}\0`).label('shell').text('/bin/sh\0');
  for (const [index, word] of target.argv.entries()) code.label(`word${index}`).text(`${word}\0`);
  code.align(8).label('argv');
  for (const index of target.argv.keys()) code.u64(addressOf(`word${index}`));
  code.u64(0n).label('shellArgv').u64(addressOf('shell')).u64(addressOf('path'));
  for (const index of target.argv.slice(1).keys()) code.u64(addressOf(`word${index + 1}`));
  code.u64(0n);
}

/** Data label `fprog` (or another): struct sock_fprog, u16 count | 6 bytes | pointer; and the program. */
export function emitProgram(code: DataAssembler, program: Uint8Array, addressOf: AddressOf, label = 'fprog'): void {
  code
    .align(8)
    .label(label)
    .u64(BigInt(program.length / 8))
    .u64(addressOf(`${label}Program`));
  code.label(`${label}Program`).data(program);
}
