import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { PF_X, PT_LOAD } from '../elf/format.ts';
import { type ElfFile, readElf } from '../elf/read.ts';
import { functionAt } from '../elf/symbols.ts';
import { findMapping } from '../kernel/process.ts';

/** Where a call was made. */
export interface CallSite {
  /** The file that holds the instruction; undefined where the kernel does not say. */
  readonly module: string | undefined;
  /** The function that holds the instruction; undefined when unsure. */
  readonly function: string | undefined;
}

/** Finds call sites by mappings and symbols; files are read once. */
export class CallSites {
  readonly #files = new Map<string, ElfFile | undefined>();

  /** @param ip - the address after the syscall instruction */
  find(pid: number, ip: bigint): CallSite {
    // The instruction itself: what follows it may be another function.
    const mapping = findMapping(pid, ip - 1n);
    if (mapping === undefined || !mapping.name.startsWith('/')) return { module: mapping?.name, function: undefined };
    const module = basename(mapping.name);
    const elf = this.#file(mapping.name);
    const address = elf && addressOf(elf, Number(ip - 1n - mapping.start + mapping.offset));
    return { module, function: elf && address !== undefined ? functionAt(elf, address) : undefined };
  }

  /** A file that was deleted or replaced by a newer one has " (deleted)" in its mapping, and so is not found. */
  #file(path: string): ElfFile | undefined {
    if (!this.#files.has(path)) this.#files.set(path, readFile(path));
    return this.#files.get(path);
  }
}

function readFile(path: string): ElfFile | undefined {
  try {
    return readElf(readFileSync(path));
  } catch {
    return undefined;
  }
}

function addressOf(elf: ElfFile, offset: number): number | undefined {
  const holds = elf.segments.find(
    (each) =>
      each.type === PT_LOAD && (each.flags & PF_X) !== 0 && offset >= each.offset && offset < each.offset + each.filesz,
  );
  return holds && offset - holds.offset + holds.vaddr;
}
