import { damaged, unlessDamaged } from './bytes.ts';
import { type FrameContext, type FrameRow, type Range, runInstructions } from './call-frame.ts';
import { DW_EH_PE_OMIT, DwarfCursor } from './dwarf.ts';
import { PT_GNU_EH_FRAME, PT_LOAD } from './format.ts';
import type { ElfFile } from './read.ts';

/**
 * .eh_frame, the table that C, C++ and Rust unwind stacks by; strip leaves it. Source: LSB Core, 10.6 (.eh_frame, .eh_frame_hdr).
 *
 *     CIE: length 4 | 0 4         | version | augmentation | alignments | return register | augmentation data | instructions
 *     FDE: length 4 | to CIE 4    | first address | size | augmentation data | instructions
 */

export interface FrameTable {
  /** @param address - as linked, inside the instruction in question: for a return address, one less. @returns undefined where nothing is said */
  readonly rowAt: (address: number) => FrameRow | undefined;
}

/** Common information of functions. */
interface Cie extends FrameContext {
  readonly instructions: Range;
  readonly returnRegister: number;
  readonly isSignal: boolean;
  readonly hasData: boolean;
}

interface Fde {
  readonly cie: Cie;
  readonly start: number;
  readonly size: number;
  readonly instructions: Range;
}

/** Finds the offset in the file of the FDE that may cover an address. */
type Index = (address: number) => number | undefined;

/** An address that is mapped: where in the file, and with which bias. */
interface Located {
  readonly offset: number;
  readonly bias: number;
}

/** The table of a file, read when it is asked; undefined where it has none. What is damaged is not found. */
export function readFrameTable(elf: ElfFile): FrameTable | undefined {
  const header = elf.segments.find(({ type }) => type === PT_GNU_EH_FRAME);
  const section = elf.sections.find(({ name, size }) => name === '.eh_frame' && size > 0);
  if (header === undefined && section === undefined) return undefined;
  const file = new FrameFile(elf);
  let index: Index | undefined;
  const find = (address: number): FrameRow | undefined => {
    index ??= (header && file.sortedIndex(header.vaddr)) ?? (section && file.scannedIndex(section)) ?? nothing;
    const offset = index(address);
    return offset === undefined ? undefined : file.row(offset, address);
  };
  return { rowAt: (address) => unlessDamaged(() => find(address)) };
}

function nothing(): undefined {}

class FrameFile {
  readonly #elf: ElfFile;
  readonly #cies = new Map<number, Cie>();

  constructor(elf: ElfFile) {
    this.#elf = elf;
  }

  /** By the sorted table of .eh_frame_hdr; undefined where the linker made none. */
  sortedIndex(address: number): Index | undefined {
    const cursor = this.#at(this.#locate(address));
    const [version, frames, counts, table] = [1, 1, 1, 1].map(() => cursor.unsigned(1)) as [
      number,
      number,
      number,
      number,
    ];
    // Pairs of 32 bits relative to the header are what linkers write and unwinders search (gcc's unwind-dw2-fde-dip.c).
    if (version !== 1 || counts === DW_EH_PE_OMIT || table !== 0x3b) return undefined;
    cursor.pointer(frames, address);
    const count = cursor.pointer(counts, address);
    const start = cursor.offset;
    const pair = (index: number): DwarfCursor => this.#at(this.#locate(address), start + 8 * index);
    return (target) => {
      const found = lastAtMost(count, target, (index) => pair(index).pointer(table, address));
      if (found === undefined) return undefined;
      const cursor = pair(found);
      cursor.pointer(table, address);
      return this.#locate(cursor.pointer(table, address)).offset;
    };
  }

  /** By reading the section from end to end: static programs of glibc have no .eh_frame_hdr. */
  scannedIndex({ addr, size }: { readonly addr: number; readonly size: number }): Index {
    const { offset: start, bias } = this.#locate(addr);
    const found: { readonly start: number; readonly offset: number }[] = [];
    for (let offset = start; offset + 4 <= start + size; ) {
      const { id, next, body } = this.#entry({ offset, bias });
      if (body === next) break;
      if (id !== 0) found.push({ start: this.#fde(offset).start, offset });
      offset = next;
    }
    found.sort((a, b) => a.start - b.start);
    return (address) => {
      const index = lastAtMost(found.length, address, (at) => found[at]?.start ?? Number.POSITIVE_INFINITY);
      return index === undefined ? undefined : found[index]?.offset;
    };
  }

  row(offset: number, address: number): FrameRow | undefined {
    const { cie, start, size, instructions } = this.#fde(offset);
    if (address < start || address >= start + size) return undefined;
    const { returnRegister, isSignal } = cie;
    return { ...runInstructions(cie, cie.instructions, instructions, start, address), returnRegister, isSignal };
  }

  /** The head of a CIE or FDE; `id` stands at `idAt`. A length of 0 ends the section: `body` is `next`. */
  #entry(at: Located): { readonly id: number; readonly idAt: number; readonly body: number; readonly next: number } {
    const cursor = this.#at(at);
    const short = cursor.unsigned(4);
    const length = short === 0xffff_ffff ? cursor.unsigned(8) : short;
    const idAt = cursor.offset;
    if (length === 0) return { id: 0, idAt, body: idAt, next: idAt };
    return { id: cursor.unsigned(4), idAt, body: cursor.offset, next: idAt + length };
  }

  #fde(offset: number): Fde {
    const { bias } = this.#locateOffset(offset);
    const { id, idAt, body, next } = this.#entry({ offset, bias });
    if (id === 0) throw damaged('.eh_frame_hdr names an entry that is no FDE');
    const cie = this.#cie({ offset: idAt - id, bias });
    const cursor = this.#at({ offset: body, bias });
    const start = cursor.pointer(cie.pointerEncoding);
    const size = cursor.number(cie.pointerEncoding);
    if (cie.hasData) cursor.block();
    return { cie, start, size, instructions: { start: cursor.offset, end: next } };
  }

  #cie(at: Located): Cie {
    const known = this.#cies.get(at.offset);
    if (known) return known;
    const { id, body, next } = this.#entry(at);
    const cursor = this.#at({ offset: body, bias: at.bias });
    const version = cursor.unsigned(1);
    const augmentation = cursor.text();
    if (id !== 0 || (version !== 1 && version !== 3) || !/^(?:z[PLRSB]*)?$/.test(augmentation))
      throw damaged(`a CIE has version ${version} and augmentation '${augmentation}'`);
    const [codeAlign, dataAlign] = [cursor.uleb(), cursor.sleb()];
    const returnRegister = version === 1 ? cursor.unsigned(1) : cursor.uleb();
    const hasData = augmentation !== '';
    const data = hasData ? cursor.uleb() : 0;
    const start = cursor.offset + data;
    const cie: Cie = {
      bytes: this.#elf.bytes,
      bias: at.bias,
      codeAlign,
      dataAlign,
      returnRegister,
      hasData,
      pointerEncoding: pointerEncodingOf(augmentation, cursor),
      isSignal: augmentation.includes('S'),
      instructions: { start, end: next },
    };
    this.#cies.set(at.offset, cie);
    return cie;
  }

  #at({ offset, bias }: Located, from = offset): DwarfCursor {
    return new DwarfCursor(this.#elf.bytes, from, bias);
  }

  #locate(address: number): Located {
    const holds = this.#elf.segments.find(
      ({ type, vaddr, filesz }) => type === PT_LOAD && address >= vaddr && address < vaddr + filesz,
    );
    if (!holds) throw damaged(`0x${address.toString(16)} of .eh_frame is in no segment`);
    return { offset: address - holds.vaddr + holds.offset, bias: holds.vaddr - holds.offset };
  }

  #locateOffset(at: number): Located {
    const holds = this.#elf.segments.find(
      ({ type, offset, filesz }) => type === PT_LOAD && at >= offset && at < offset + filesz,
    );
    if (!holds) throw damaged(`.eh_frame at ${at} is in no segment`);
    return { offset: at, bias: holds.vaddr - holds.offset };
  }
}

/** Reads augmentation data up to 'R', which says how addresses of functions are written; absolute where it is silent. */
function pointerEncodingOf(augmentation: string, cursor: DwarfCursor): number {
  for (const letter of augmentation.slice(1)) {
    if (letter === 'R') return cursor.unsigned(1);
    if (letter === 'L') cursor.unsigned(1);
    if (letter === 'P') skipPointer(cursor);
  }
  return 0;
}

/** The personality routine, of which only the length matters. */
function skipPointer(cursor: DwarfCursor): void {
  cursor.number(cursor.unsigned(1));
}

/** The last of `count` ascending keys that is at most `target`. */
function lastAtMost(count: number, target: number, key: (index: number) => number): number | undefined {
  let [low, high] = [0, count];
  if (count === 0 || key(0) > target) return undefined;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (key(middle) <= target) low = middle;
    else high = middle;
  }
  return low;
}
