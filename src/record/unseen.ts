import { SECCOMP_MODE_FILTER } from '../kernel/abi.ts';
import { taskStatus } from '../kernel/task-status.ts';
import type { Installer } from '../observe/installers.ts';

/** What a recording by notify or ptrace cannot see: of several filters the strongest answer holds, and a denial is stronger than either. */

/** Sentences for people. */
export function unseenBy(backend: 'notify' | 'ptrace', installers: readonly Installer[]): readonly string[] {
  const rest = `calls that they deny are not seen by ${backend}: record with --backend ebpf`;
  const { mode, filters } = taskStatus(process.pid) ?? {};
  const outer = mode !== SECCOMP_MODE_FILTER ? [] : [`${countOf(filters)} already in force here: ${rest}`];
  return [...outer, ...installers.map((installer) => `${nameOf(installer)}: ${rest}`)];
}

function countOf(filters: number | undefined): string {
  // Counted since 5.9.
  if (filters === undefined) return 'filters are';
  return filters === 1 ? '1 filter is' : `${filters} filters are`;
}

function nameOf({ exe, module, offset }: Installer): string {
  const place = module === undefined ? '' : `, at 0x${(offset ?? 0n).toString(16)} in ${module}`;
  return `"${exe}" installs filters of its own${place}`;
}
