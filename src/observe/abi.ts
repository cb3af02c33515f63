import { ARCHES, type ArchName, X32_SYSCALL_BIT } from '../facts/arches.ts';

/** Which ABI a notified call came through, and the few calls that change who a task is. */

/** The ABIs of the machines on which Selkie records. */
export type ObservedArch = Extract<ArchName, 'x86_64' | 'x32' | 'i386'>;

/** The ABI of a call by its AUDIT_ARCH token (unsigned) and number; undefined for a token that x86 does not have. */
export function abiOf(token: number, nr: number): ObservedArch | undefined {
  if (token === ARCHES.x86_64.token) return (nr & X32_SYSCALL_BIT) !== 0 ? 'x32' : 'x86_64';
  return token === ARCHES.i386.token ? 'i386' : undefined;
}

/** The same, of a call whose entry is known instead of its token. */
export function archOf(isCompat: boolean, nr: number): ObservedArch {
  return abiOf(isCompat ? ARCHES.i386.token : ARCHES.x86_64.token, nr) ?? 'x86_64';
}

/** What a call does to the task that makes it. */
export type Effect = 'exec' | 'exit' | 'exit_group';

/** Keys of other ABIs lie above all numbers of x86_64. */
const KEY_STRIDE = 2 ** 32;
const ABI_KEYS: { readonly [K in ObservedArch]: number } = { x86_64: 0, x32: 1, i386: 2 };

/** One number for an ABI and a number of it, for tables that are asked at every call. */
export function callKey(arch: ObservedArch, nr: number): number {
  return ABI_KEYS[arch] * KEY_STRIDE + nr;
}

// arch/x86/entry/syscalls/syscall_64.tbl and syscall_32.tbl
const EFFECTS: ReadonlyMap<number, Effect> = new Map<number, Effect>([
  [callKey('x86_64', 59), 'exec'],
  [callKey('x86_64', 322), 'exec'],
  [callKey('x86_64', 60), 'exit'],
  [callKey('x86_64', 231), 'exit_group'],
  [callKey('x32', X32_SYSCALL_BIT + 520), 'exec'],
  [callKey('x32', X32_SYSCALL_BIT + 545), 'exec'],
  [callKey('x32', X32_SYSCALL_BIT + 60), 'exit'],
  [callKey('x32', X32_SYSCALL_BIT + 231), 'exit_group'],
  [callKey('i386', 11), 'exec'],
  [callKey('i386', 358), 'exec'],
  [callKey('i386', 1), 'exit'],
  [callKey('i386', 252), 'exit_group'],
]);

/** The effect of a call, by `callKey`; undefined for all that leave their task as it is. */
export function effectOf(key: number): Effect | undefined {
  return EFFECTS.get(key);
}
