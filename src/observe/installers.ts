import { X32_SYSCALL_BIT } from '../facts/arches.ts';
import type { SeccompData } from '../facts/seccomp.ts';
import { executableOf, findMapping } from '../kernel/process.ts';
import { callKey } from './abi.ts';
import { isConfining } from './installation.ts';

/** Who puts filters of its own in force while it is recorded: what those deny, neither notify nor ptrace sees. */
export interface Installer {
  /** Path of the executable. */
  readonly exe: string;
  /** The file that holds the call, and where in that file; absent where the kernel does not say. */
  readonly module?: string;
  readonly offset?: bigint;
}

// arch/x86/entry/syscalls/syscall_64.tbl and syscall_32.tbl: prctl and seccomp
const KEYS: ReadonlySet<number> = new Set([
  callKey('x86_64', 157),
  callKey('x86_64', 317),
  callKey('x32', X32_SYSCALL_BIT + 157),
  callKey('x32', X32_SYSCALL_BIT + 317),
  callKey('i386', 172),
  callKey('i386', 354),
]);

/** Whether a call may be an installation, by `callKey`: its arguments say. */
export function mayInstall(key: number): boolean {
  return KEYS.has(key);
}

export class Installers {
  readonly #byPlace = new Map<string, Installer>();

  /** A call that waits, of which `mayInstall` is true. */
  see(tid: number, data: SeccompData): void {
    if (!isConfining(data)) return;
    const exe = executableOf(tid) ?? '[unknown]';
    const mapping = findMapping(tid, data.instructionPointer);
    const offset = mapping && data.instructionPointer - mapping.start + mapping.offset;
    const installer = { exe, ...(mapping && { module: mapping.name }), ...(offset !== undefined && { offset }) };
    this.#byPlace.set(`${exe} ${mapping?.name} ${offset}`, installer);
  }

  all(): readonly Installer[] {
    return [...this.#byPlace.values()];
  }
}
