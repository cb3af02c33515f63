import { readFileSync, statSync } from 'node:fs';
import { basename } from 'node:path';
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
    return (pc) => {
      mappings ??= executableMappings(tid);
      const mapping = mappings.find(({ start, end }) => pc >= start && pc < end);
      return mapping && this.#place(tid, mapping, pc);
    };
  }

  #place(tid: number, mapping: Mapping, pc: bigint): Place {
    const { name: path } = mapping;
    const module = basename(path);
    // A file that was deleted or replaced has " (deleted)" in its mapping, and so is not found.
    const image = path.startsWith('/') ? this.#image(tid, path) : undefined;
    const address = image?.addressOf(Number(pc - mapping.start + mapping.offset));
    return { module, path, address: address ?? 0, image: address === undefined ? undefined : image };
  }

  /** By the process's own root: a container has its own libc.so.6. */
  #image(tid: number, path: string): Image | undefined {
    const file = `/proc/${tid}/root${path}`;
    const status = statSync(file, { throwIfNoEntry: false });
    if (!status?.isFile()) return undefined;
    const key = [status.dev, status.ino, status.size, status.mtimeMs].join(' ');
    return remembered(this.#images, key, () => Image.read(file));
  }
}

function remembered<K, V>(known: Map<K, V>, key: K, find: () => V): V {
  if (!known.has(key)) known.set(key, find());
  return known.get(key) as V;
}
