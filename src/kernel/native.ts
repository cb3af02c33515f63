import type { ArchName } from '../facts/arches.ts';

/** The ABI of this machine's own programs, used where neither the policy nor a binary names one. */
export type NativeArch = Extract<ArchName, 'x86_64' | 'aarch64'>;

export const NATIVE_ARCH: NativeArch = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
