import { AssemblerA64 } from '../asm-aarch64.ts';
import { EM_AARCH64 } from '../format.ts';
import { type AddressOf, codeAddress, staticFile } from '../static-file.ts';

/** What the generated programs for AArch64 share; static-x86-64.ts is its like. */

/** Builds a static executable for AArch64; `write` is called twice, as absolute addresses are known after the first time. */
export function staticElfAarch64(
  write: (code: AssemblerA64, addressOf: AddressOf) => void,
  notes?: Uint8Array,
): Uint8Array {
  const draft = new AssemblerA64();
  write(draft, () => 0n);
  const labels = draft.labels();
  const code = new AssemblerA64();
  const start = codeAddress(notes);
  write(code, (label) => start + BigInt(labels.get(label) ?? 0));
  return staticFile(EM_AARCH64, code.assemble(), notes);
}

/** System calls that generated programs make: include/uapi/asm-generic/unistd.h. */
export const NR_AARCH64 = {
  ioctl: 29,
  openat: 56,
  close: 57,
  pipe2: 59,
  read: 63,
  write: 64,
  pread64: 67,
  pwrite64: 68,
  ppoll: 73,
  newfstatat: 79,
  fstat: 80,
  exit_group: 94,
  sched_yield: 124,
  kill: 129,
  prctl: 167,
  clone: 220,
  execve: 221,
  wait4: 260,
  seccomp: 277,
  landlock_create_ruleset: 444,
  landlock_add_rule: 445,
  landlock_restrict_self: 446,
} as const;

/** mov x8, number; svc 0. The result is in x0; other registers stay. */
export function callAarch64(code: AssemblerA64, name: keyof typeof NR_AARCH64): AssemblerA64 {
  return code.mov('x8', NR_AARCH64[name]).svc();
}
