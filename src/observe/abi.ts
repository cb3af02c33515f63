import { ARCHES, type ArchName, X32_SYSCALL_BIT } from '../facts/arches.ts';
import { syscallNumber } from '../facts/syscalls.ts';

/** Which ABI a notified call came through, and the few calls that change who a task is. */

/** The ABIs of the machines on which Selkie records. */
export type ObservedArch = Extract<ArchName, 'x86_64' | 'x32' | 'i386' | 'aarch64' | 'arm'>;

const OTHERS = ['i386', 'aarch64', 'arm'] as const;

/** The ABI of a call by its AUDIT_ARCH token (unsigned) and number; undefined for a token of another machine. */
export function abiOf(token: number, nr: number): ObservedArch | undefined {
  if (token === ARCHES.x86_64.token) return (nr & X32_SYSCALL_BIT) !== 0 ? 'x32' : 'x86_64';
  return OTHERS.find((arch) => ARCHES[arch].token === token);
}

/** The same on x86, of a call whose entry is known instead of its token. */
export function archOf(isCompat: boolean, nr: number): ObservedArch {
  return abiOf(isCompat ? ARCHES.i386.token : ARCHES.x86_64.token, nr) ?? 'x86_64';
}

/** What a call does to the task that makes it. */
export type Effect = 'exec' | 'exit' | 'exit_group';

/** Keys of different ABIs lie apart. */
const KEY_STRIDE = 2 ** 32;
const ABI_KEYS: { readonly [K in ObservedArch]: number } = { x86_64: 0, x32: 1, i386: 2, aarch64: 3, arm: 4 };

/** One number for an ABI and a number of it, for tables that are asked at every call. */
export function callKey(arch: ObservedArch, nr: number): number {
  return ABI_KEYS[arch] * KEY_STRIDE + nr;
}

/** A table by `callKey` of calls that are known by their names, for every ABI that has them. */
export function tableByKey<T>(byName: Readonly<Record<string, T>>): ReadonlyMap<number, T> {
  const arches = Object.keys(ABI_KEYS) as ObservedArch[];
  return new Map(
    arches.flatMap((arch) =>
      Object.entries(byName).flatMap(([name, value]) => {
        const nr = syscallNumber(arch, name);
        return nr === undefined ? [] : [[callKey(arch, nr), value] as const];
      }),
    ),
  );
}

const EFFECTS = tableByKey<Effect>({ execve: 'exec', execveat: 'exec', exit: 'exit', exit_group: 'exit_group' });

/** The effect of a call, by `callKey`; undefined for all that leave their task as it is. */
export function effectOf(key: number): Effect | undefined {
  return EFFECTS.get(key);
}
