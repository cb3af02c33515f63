import type { SeccompData } from '../facts/seccomp.ts';
import { executableOf, findMapping } from '../kernel/process.ts';
import { tableByKey } from './abi.ts';
import { isConfining } from './installation.ts';

/** Who puts filters of its own in force while it is recorded: what those deny, neither notify nor ptrace sees. */
export interface Installer {
  /** Path of the executable. */
  readonly exe: string;
  /** The file that holds the call, and where in that file; absent where the kernel does not say. */
  readonly module?: string;
  readonly offset?: bigint;
}

const KEYS = tableByKey({ prctl: true, seccomp: true });

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
