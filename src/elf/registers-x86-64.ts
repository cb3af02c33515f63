/** Registers of x86-64 by name; the name says the width. Numbers: Intel SDM volume 2, table 2-2 (REX and ModRM fields). */

const NAMES_64 = [
  'rax',
  'rcx',
  'rdx',
  'rbx',
  'rsp',
  'rbp',
  'rsi',
  'rdi',
  'r8',
  'r9',
  'r10',
  'r11',
  'r12',
  'r13',
  'r14',
  'r15',
] as const;

const NAMES_32 = [
  'eax',
  'ecx',
  'edx',
  'ebx',
  'esp',
  'ebp',
  'esi',
  'edi',
  'r8d',
  'r9d',
  'r10d',
  'r11d',
  'r12d',
  'r13d',
  'r14d',
  'r15d',
] as const;

const NAMES_8 = [
  'al',
  'cl',
  'dl',
  'bl',
  'spl',
  'bpl',
  'sil',
  'dil',
  'r8b',
  'r9b',
  'r10b',
  'r11b',
  'r12b',
  'r13b',
  'r14b',
  'r15b',
] as const;

export type Register64 = (typeof NAMES_64)[number];
export type Register32 = (typeof NAMES_32)[number];
export type Register8 = (typeof NAMES_8)[number];
/** A 64-bit or a 32-bit register. Writing a 32-bit one clears the upper half of its 64-bit one. */
export type Register = Register64 | Register32;

/** Width in bits and number (0 to 15) of a register. */
export interface RegisterFacts {
  readonly number: number;
  readonly width: 8 | 32 | 64;
}

const FACTS: ReadonlyMap<string, RegisterFacts> = new Map([
  ...NAMES_64.map((name, number): [string, RegisterFacts] => [name, { number, width: 64 }]),
  ...NAMES_32.map((name, number): [string, RegisterFacts] => [name, { number, width: 32 }]),
  ...NAMES_8.map((name, number): [string, RegisterFacts] => [name, { number, width: 8 }]),
]);

/** What is known about a register. @throws RangeError for a name that is none. */
export function registerFacts(name: string): RegisterFacts {
  const facts = FACTS.get(name);
  if (facts === undefined) throw new RangeError(`no register of x86-64: ${name}`);
  return facts;
}

/** True for a 64-bit or a 32-bit register's name. */
export function isRegister(value: unknown): value is Register {
  return typeof value === 'string' && (FACTS.get(value)?.width ?? 8) > 8;
}
