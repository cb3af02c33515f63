import type { ArchName } from './arches.ts';
import { constant } from './constants.ts';
import { DANGERS } from './selector-table.ts';

/** Values of selectors that a reviewer wants to know of when they were never seen, all of them together: value by argument. */
export interface Danger {
  /** As people write it: `PROT_WRITE|PROT_EXEC`, `SOL_SOCKET SO_ATTACH_BPF`. */
  readonly name: string;
  readonly values: ReadonlyMap<string, bigint>;
}

/** What of a call's selectors is worth naming when it was never seen; none of those whose constants the ABI lacks. */
export function dangersOf(arch: ArchName, call: string): readonly Danger[] {
  const texts = Object.hasOwn(DANGERS, call) ? (DANGERS[call] ?? []) : [];
  return texts.flatMap((text) => readDanger(arch, text) ?? []);
}

function readDanger(arch: ArchName, text: string): Danger | undefined {
  const pairs = text.split(' ').map((word) => word.split('=') as [string, string]);
  const values = new Map<string, bigint>();
  for (const [argument, names] of pairs) {
    const parts = names.split('|').map((name) => constant(arch, name));
    if (parts.some((part) => part === undefined)) return undefined;
    values.set(
      argument,
      parts.reduce<bigint>((all, part) => all | (part ?? 0n), 0n),
    );
  }
  return { name: pairs.map(([, names]) => names).join(' '), values };
}
