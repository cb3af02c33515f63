import { dynamicEntries, type ElfFile } from './read.ts';
import { loadsOf } from './sealable.ts';

/** Tags of the dynamic section (elf.h). */
const DT_STRTAB = 5;
const DT_RPATH = 15;
const DT_RUNPATH = 29;

/** Whether ld.so looks for libraries beside the program's own file: `$ORIGIN` in its run path (ld.so(8)). A damaged table says no. */
export function searchesBesideItself(elf: ElfFile): boolean {
  const entries = dynamicEntries(elf);
  const strings = entries.find(({ tag }) => tag === DT_STRTAB);
  const offset = strings && offsetOf(elf, Number(strings.value));
  if (offset === undefined) return false;
  return entries
    .filter(({ tag }) => tag === DT_RPATH || tag === DT_RUNPATH)
    .some(({ value }) => /\$\{?ORIGIN\b/.test(textAt(elf.bytes, offset + Number(value))));
}

/** Where an address of the program stands in its file. */
function offsetOf(elf: ElfFile, address: number): number | undefined {
  const load = loadsOf(elf).find(({ vaddr, filesz }) => address >= vaddr && address < vaddr + filesz);
  return load && load.offset + address - load.vaddr;
}

function textAt(bytes: Uint8Array, start: number): string {
  const end = bytes.indexOf(0, start);
  return new TextDecoder().decode(bytes.subarray(start, end < 0 ? start : end));
}
