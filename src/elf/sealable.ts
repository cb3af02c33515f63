/** What can be sealed, and what a person should know about it first. */
import { ElfError } from '../base/errors.ts';
import { alignUp, damaged } from './bytes.ts';
import * as format from './format.ts';
import { sealMachine } from './machines.ts';
import { dynamicEntries, type ElfFile, interpreterOf, type Segment } from './read.ts';

const PAGE = 4096;
/** End of the addresses of a program with four-level page tables: TASK_SIZE of arch/x86; AArch64 has as many or more. */
const ADDRESS_LIMIT = 0x7fff_ffff_f000;

/**
 * Refuses what is not a program that the kernel would start.
 * @throws ElfError `elf_machine`, `elf_type`, `elf_damaged`.
 */
export function requireSealable(elf: ElfFile): void {
  if (sealMachine(elf.machine) === undefined) {
    throw new ElfError(
      'elf_machine',
      `Cannot seal the ELF file: it is for ${format.machineName(elf.machine)}, wanted x86-64 or AArch64`,
    );
  }
  const kind = notAProgram(elf);
  if (kind !== undefined) throw new ElfError('elf_type', `Cannot seal the ELF file: it is ${kind}, wanted a program`);
  requireLoads(loadsOf(elf), elf.entry);
  interpreterOf(elf);
}

/** The PT_LOADs in their order. */
export function loadsOf(elf: ElfFile): readonly Segment[] {
  return elf.segments.filter((segment) => segment.type === format.PT_LOAD);
}

/** First address behind everything that is loaded, page aligned. */
export function endOfLoads(elf: ElfFile): number {
  return alignUp(Math.max(...loadsOf(elf).map((load) => load.vaddr + load.memsz)), PAGE);
}

function notAProgram(elf: ElfFile): string | undefined {
  if (elf.type === format.ET_REL) return 'a relocatable object';
  if (elf.type === format.ET_CORE) return 'a core dump';
  if (elf.type !== format.ET_EXEC && elf.type !== format.ET_DYN) return `of type ${elf.type}`;
  if (loadsOf(elf).length === 0) return 'without anything to load';
  if (elf.entry === 0) return elf.type === format.ET_DYN ? 'a shared library' : 'without an entry';
  if (elf.type === format.ET_EXEC || interpreterOf(elf) !== undefined) return undefined;
  // Without an interpreter a program (static PIE) differs from a library by DF_1_PIE; old linkers did not set it.
  const entries = dynamicEntries(elf);
  const flags = entries.find((entry) => entry.tag === format.DT_FLAGS_1)?.value ?? 0n;
  const isPie = (flags & BigInt(format.DF_1_PIE)) !== 0n;
  return !isPie && entries.some((entry) => entry.tag === format.DT_SONAME) ? 'a shared library' : undefined;
}

function requireLoads(loads: readonly Segment[], entry: number): void {
  let end = 0;
  for (const load of loads) {
    const what = `program header ${load.index}`;
    if (load.filesz > load.memsz) throw damaged(`p_filesz of ${what} is greater than p_memsz`);
    if (load.vaddr % PAGE !== load.offset % PAGE) throw damaged(`p_vaddr and p_offset of ${what} differ within a page`);
    if (load.vaddr < end) throw damaged(`${what} overlaps the one before it, or stands out of order`);
    end = load.vaddr + load.memsz;
    if (end > ADDRESS_LIMIT) throw damaged(`${what} ends beyond the addresses of a program`);
  }
  const inCode = loads.some(
    (load) => (load.flags & format.PF_X) !== 0 && entry >= load.vaddr && entry < load.vaddr + load.filesz,
  );
  if (!inCode) throw damaged(`e_entry 0x${entry.toString(16)} lies in no executable segment`);
}

/** Sentences on what a seal cannot do for this program. */
export function sealWarnings(elf: ElfFile): string[] {
  const warnings: string[] = [];
  const interpreter = interpreterOf(elf);
  if (interpreter !== undefined) {
    warnings.push(
      `${interpreter} and the constructors of libraries run before the filter; who controls LD_* variables runs code there`,
    );
  }
  const preinit = preinitFunctions(elf);
  if (preinit > 0)
    warnings.push(
      `${preinit} function${preinit === 1 ? '' : 's'} of its DT_PREINIT_ARRAY run${preinit === 1 ? 's' : ''} before the filter`,
    );
  const trailing = trailingBytes(elf);
  if (trailing > 0) {
    warnings.push(
      `${trailing} bytes stand behind all sections; a program that looks for data at the end of its own file no longer finds them`,
    );
  }
  return warnings;
}

/** Functions that ld.so calls before e_entry; static programs call theirs after it. */
function preinitFunctions(elf: ElfFile): number {
  if (interpreterOf(elf) === undefined) return 0;
  const entries = dynamicEntries(elf);
  if (!entries.some((entry) => entry.tag === format.DT_PREINIT_ARRAY)) return 0;
  return Number(entries.find((entry) => entry.tag === format.DT_PREINIT_ARRAYSZ)?.value ?? 0n) / 8;
}

function trailingBytes(elf: ElfFile): number {
  const contents = elf.sections.filter(
    (section) => section.type !== format.SHT_NOBITS && section.type !== format.SHT_NULL,
  );
  const ends = [
    elf.phoff + elf.segments.length * format.PHDR_SIZE,
    elf.shoff + elf.sections.length * format.SHDR_SIZE,
    ...elf.segments.filter((segment) => segment.filesz > 0).map((segment) => segment.offset + segment.filesz),
    ...contents.map((section) => section.offset + section.size),
  ];
  return Math.max(0, elf.bytes.length - Math.max(...ends));
}

/** True when an address of this size can be used. */
export function isAddress(end: number): boolean {
  return end <= ADDRESS_LIMIT;
}
