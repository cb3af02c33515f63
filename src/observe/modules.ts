import { type BigIntStats, readFileSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { endsInCall, LONGEST_CALL } from '../elf/call-instruction.ts';
import { demangle } from '../elf/demangle.ts';
import { type FrameTable, readFrameTable } from '../elf/eh-frame.ts';
import { PF_X, PT_LOAD } from '../elf/format.ts';
import { type GoTable, readGoTable } from '../elf/gopclntab.ts';
import { type ElfFile, readElf } from '../elf/read.ts';
import { functionAt } from '../elf/symbols.ts';
import { executableMappings, type Mapping } from '../kernel/process.ts';

/** The files whose code a process runs, and what they say of an address. */

/** A file of code. What was asked once is remembered: the same places are asked again with each denial. */
export class Image {
  readonly go: GoTable | undefined;
  readonly #elf: ElfFile;
  readonly #frames: FrameTable | undefined;
  readonly #functions = new Map<number, string | undefined>();
  readonly #rows = new Map<number, ReturnType<FrameTable['rowAt']>>();

  private constructor(elf: ElfFile) {
    this.#elf = elf;
    this.go = readGoTable(elf);
    this.#frames = readFrameTable(elf);
  }

  /** @returns undefined where it cannot be read, or is no ELF file */
  static read(path: string): Image | undefined {
    try {
      return new Image(readElf(readFileSync(path)));
    } catch {
      return undefined;
    }
  }

  /** The function that a symbol says to hold an address, as its programmer wrote it. */
  functionAt(address: number): string | undefined {
    return remembered(this.#functions, address, () => {
      const symbol = functionAt(this.#elf, address);
      return symbol === undefined ? undefined : demangle(symbol);
    });
  }

  /** How to unwind from an address, by .eh_frame. */
  rowAt(address: number): ReturnType<FrameTable['rowAt']> {
    return remembered(this.#rows, address, () => this.#frames?.rowAt(address));
  }

  /** Whether the instruction whose last byte is at an address is a call: what a caller's frame must be at. */
  isCall(address: number): boolean {
    const holds = this.#elf.segments.find(
      ({ type, vaddr, filesz }) => type === PT_LOAD && address >= vaddr && address < vaddr + filesz,
    );
    if (!holds) return false;
    const end = address - holds.vaddr + holds.offset + 1;
    return endsInCall(this.#elf.bytes.subarray(Math.max(0, end - LONGEST_CALL), end));
  }

  /** The address that an offset in the file is linked at. */
  addressOf(offset: number): number | undefined {
    const holds = this.#elf.segments.find(
      (each) =>
        each.type === PT_LOAD &&
        (each.flags & PF_X) !== 0 &&
        offset >= each.offset &&
        offset < each.offset + each.filesz,
    );
    return holds && offset - holds.offset + holds.vaddr;
  }
}

/** A place in the code of a process. */
export interface Place {
  /** The file's base name, or what the kernel calls the memory: `[anonymous]`, `[vdso]`. */
  readonly module: string;
  readonly path: string;
  /** Undefined where there is no file, or it was deleted or replaced since. */
  readonly image: Image | undefined;
  /** As linked, without the load bias. */
  readonly address: number;
}

/** Reads files of code once. */
export class Images {
  readonly #images = new Map<string, Image | undefined>();

  /** Where things are in a process at this moment. */
  placesOf(tid: number): (pc: bigint) => Place | undefined {
    let mappings: readonly Mapping[] | undefined;
    const images = new Map<Mapping, Image | undefined>();
    return (pc) => {
      mappings ??= executableMappings(tid);
      const mapping = mappings.find(({ start, end }) => pc >= start && pc < end);
      if (mapping === undefined) return undefined;
      // A file that was deleted or replaced has " (deleted)" in its mapping, and so is not found.
      const isFile = mapping.name.startsWith('/');
      return placeIn(mapping, pc, isFile ? remembered(images, mapping, () => this.#image(tid, mapping)) : undefined);
    };
  }

  /** A container has its own libc.so.6: the file is the one of its root or ours that has the mapping's inode. */
  #image(tid: number, { name, inode }: Mapping): Image | undefined {
    const files = [`/proc/${tid}/root${name}`, name].map((path) => ({ path, status: statusOf(path) }));
    const [theirs, ours] = files;
    const isOne = theirs?.status?.ino === ours?.status?.ino && theirs?.status?.dev === ours?.status?.dev;
    // Overlay file systems may print another inode than stat(2) does.
    const file = files.find(({ status }) => status?.ino === inode) ?? (isOne ? ours : undefined);
    if (!file?.status) return undefined;
    const { dev, ino, size, mtimeNs } = file.status;
    return remembered(this.#images, [dev, ino, size, mtimeNs].join(' '), () => Image.read(file.path));
  }
}

function placeIn(mapping: Mapping, pc: bigint, image: Image | undefined): Place {
  const { name: path, start, offset } = mapping;
  const address = image?.addressOf(Number(pc - start + offset));
  return { module: basename(path), path, address: address ?? 0, image: address === undefined ? undefined : image };
}

function statusOf(path: string): BigIntStats | undefined {
  try {
    const status = statSync(path, { bigint: true });
    return status.isFile() ? status : undefined;
  } catch {
    return undefined;
  }
}

function remembered<K, V>(known: Map<K, V>, key: K, find: () => V): V {
  if (!known.has(key)) known.set(key, find());
  return known.get(key) as V;
}
