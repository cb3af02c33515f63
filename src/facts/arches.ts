/**
 * The ABIs that Selkie knows: arm is EABI, mips64el is n64. One ABI = one AUDIT_ARCH token plus, for x32, a bit in the number.
 * Sources: include/uapi/linux/audit.h, arch/x86/include/uapi/asm/unistd.h.
 */

export const X32_SYSCALL_BIT = 0x4000_0000;

/** -1, which is no call of any ABI: tracers set it so that a call is skipped, and libseccomp's filters of x86_64 leave it to the default. */
export const NO_CALL = 0xffff_ffff;

export type ArchName =
  | 'x86_64'
  | 'i386'
  | 'x32'
  | 'aarch64'
  | 'arm'
  | 'riscv64'
  | 'ppc64le'
  | 's390x'
  | 'mips64el'
  | 'loongarch64';

export interface Arch {
  readonly name: ArchName;
  /** AUDIT_ARCH_* value, unsigned: ELF machine, __AUDIT_ARCH_64BIT, __AUDIT_ARCH_LE. */
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
  arm: {
    name: 'arm',
    token: 0x4000_0028,
    tokenName: 'AUDIT_ARCH_ARM',
    bits: 32,
    littleEndian: true,
    numberOffset: 0,
  },
  riscv64: {
    name: 'riscv64',
    token: 0xc000_00f3,
    tokenName: 'AUDIT_ARCH_RISCV64',
    bits: 64,
    littleEndian: true,
    numberOffset: 0,
  },
  ppc64le: {
    name: 'ppc64le',
    token: 0xc000_0015,
    tokenName: 'AUDIT_ARCH_PPC64LE',
    bits: 64,
    littleEndian: true,
    numberOffset: 0,
  },
  s390x: {
    name: 's390x',
    token: 0x8000_0016,
    tokenName: 'AUDIT_ARCH_S390X',
    bits: 64,
    littleEndian: false,
    numberOffset: 0,
  },
  mips64el: {
    name: 'mips64el',
    token: 0xc000_0008,
    tokenName: 'AUDIT_ARCH_MIPSEL64',
    bits: 64,
    littleEndian: true,
    numberOffset: 0,
  },
  loongarch64: {
    name: 'loongarch64',
    token: 0xc000_0102,
    tokenName: 'AUDIT_ARCH_LOONGARCH64',
    bits: 64,
    littleEndian: true,
    numberOffset: 0,
  },
};

export const ARCH_NAMES: readonly ArchName[] = Object.keys(ARCHES) as ArchName[];

const AUDIT_ARCH_LE = 0x4000_0000;

/** Whether machines of an AUDIT_ARCH token store the low byte, and the low word of an argument, first. */
export function isLittleEndian(token: number): boolean {
  return (token & AUDIT_ARCH_LE) !== 0;
}
