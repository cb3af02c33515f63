/**
 * The ABIs that Selkie knows. One ABI = one AUDIT_ARCH token plus, for x32, a bit in the number.
 * Sources: include/uapi/linux/audit.h, arch/x86/include/uapi/asm/unistd.h.
 */

export const X32_SYSCALL_BIT = 0x4000_0000;

export type ArchName = 'x86_64' | 'i386' | 'x32' | 'aarch64';

export interface Arch {
  readonly name: ArchName;
  /** AUDIT_ARCH_* value, unsigned. */
  readonly token: number;
  readonly tokenName: string;
  /** Bits of a `long` and of a pointer. */
  readonly bits: 32 | 64;
  readonly littleEndian: boolean;
  /** Added to every number of the table (x32), else 0. Numbers in Selkie always include it. */
  readonly numberOffset: number;
}

export const ARCHES: { readonly [K in ArchName]: Arch } = {
  x86_64: {
    name: 'x86_64',
    token: 0xc000_003e,
    tokenName: 'AUDIT_ARCH_X86_64',
    bits: 64,
    littleEndian: true,
    numberOffset: 0,
  },
  i386: {
    name: 'i386',
    token: 0x4000_0003,
    tokenName: 'AUDIT_ARCH_I386',
    bits: 32,
    littleEndian: true,
    numberOffset: 0,
  },
  x32: {
    name: 'x32',
    token: 0xc000_003e,
    tokenName: 'AUDIT_ARCH_X86_64',
    bits: 32,
    littleEndian: true,
    numberOffset: X32_SYSCALL_BIT,
  },
  aarch64: {
    name: 'aarch64',
    token: 0xc000_00b7,
    tokenName: 'AUDIT_ARCH_AARCH64',
    bits: 64,
    littleEndian: true,
    numberOffset: 0,
  },
};

export const ARCH_NAMES: readonly ArchName[] = Object.keys(ARCHES) as ArchName[];
