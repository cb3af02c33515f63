/** Constants and layouts of ELF-64: include/uapi/linux/elf.h and the System V ABI. Offsets are bytes from a record's start. */

export const EHDR_SIZE = 64;
export const PHDR_SIZE = 56;
export const SHDR_SIZE = 64;

export const ET_REL = 1;
export const ET_EXEC = 2;
export const ET_DYN = 3;
export const ET_CORE = 4;

export const EM_X86_64 = 62;
export const EM_AARCH64 = 183;

export const PT_LOAD = 1;
export const PT_DYNAMIC = 2;
export const PT_INTERP = 3;
export const PT_NOTE = 4;
export const PT_PHDR = 6;
export const PT_GNU_EH_FRAME = 0x6474_e550;
export const PT_GNU_STACK = 0x6474_e551;
export const PT_GNU_PROPERTY = 0x6474_e553;

export const PF_X = 1;
export const PF_W = 2;
export const PF_R = 4;

export const SHT_NULL = 0;
export const SHT_PROGBITS = 1;
export const SHT_STRTAB = 3;
export const SHT_NOBITS = 8;

export const SHF_ALLOC = 2;
export const SHF_EXECINSTR = 4;

export const DT_NULL = 0;
export const DT_SONAME = 14;
export const DT_PREINIT_ARRAY = 32;
export const DT_PREINIT_ARRAYSZ = 33;
export const DT_FLAGS_1 = 0x6fff_fffb;
export const DF_1_PIE = 0x0800_0000;

export const NT_GNU_BUILD_ID = 3;
export const NT_GNU_PROPERTY_TYPE_0 = 5;

/** Fields of the file header. */
export const EHDR = {
  type: 16,
  machine: 18,
  version: 20,
  entry: 24,
  phoff: 32,
  shoff: 40,
  ehsize: 52,
  phentsize: 54,
  phnum: 56,
  shentsize: 58,
  shnum: 60,
  shstrndx: 62,
} as const;
/** Fields of a program header. */
export const PHDR = { type: 0, flags: 4, offset: 8, vaddr: 16, paddr: 24, filesz: 32, memsz: 40, align: 48 } as const;
/** Fields of a section header. */
export const SHDR = {
  name: 0,
  type: 4,
  flags: 8,
  addr: 16,
  offset: 24,
  size: 32,
  link: 40,
  info: 44,
  addralign: 48,
  entsize: 56,
} as const;

/** Machines by e_machine, to name those that Selkie does not take. */
const MACHINES: ReadonlyMap<number, string> = new Map([
  [2, 'SPARC'],
  [3, 'i386'],
  [8, 'MIPS'],
  [20, 'PowerPC'],
  [21, 'PowerPC 64'],
  [22, 's390'],
  [40, 'ARM'],
  [43, 'SPARC V9'],
  [EM_X86_64, 'x86-64'],
  [EM_AARCH64, 'AArch64'],
  [243, 'RISC-V'],
  [247, 'BPF'],
  [258, 'LoongArch'],
]);

/** A machine's name, or its number. */
export function machineName(machine: number): string {
  return MACHINES.get(machine) ?? `machine ${machine}`;
}
