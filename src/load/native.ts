import type { ArchName } from '../facts/arches.ts';

/** The ABI of this machine, used where neither the policy nor a binary names one. */
export function nativeArch(): ArchName {
  return process.arch === 'arm64' ? 'aarch64' : 'x86_64';
}
