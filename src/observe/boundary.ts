import { ARCHES, type ArchName } from '../facts/arches.ts';
import { syscallNumber } from '../facts/syscalls.ts';
import { NATIVE_ARCH } from '../kernel/native.ts';
import { AT_BASE, AT_ENTRY, auxiliaryVector, findMapping, ProcessMemory } from '../kernel/process.ts';
import { MARK, MARK_NR } from './entry-mark.ts';

/**
 * Where `start` ends and the program begins, in the first image of a recording.
 *
 * A static program begins with its first call. In a dynamic one ld.so runs first, and what it calls is start. Its end is found without
 * ptrace: while the process waits in ld.so's first call, its entry point is overwritten by code that makes a call of our own (entry-mark.ts), which is
 * notified to us; then the bytes are put back and the program goes to its entry as if nothing had been.
 */

/** How the boundary was found: no ld.so to pass, our mark at the entry, or by the instruction pointer of calls. */
export type BoundaryKind = 'exec' | 'entry' | 'ip';

/** A call as the boundary sees it. */
export interface CallPlace {
  readonly tid: number;
  readonly nr: number;
  readonly ip: bigint;
}

/** Decides, call by call, whether the first image is still starting. */
export interface Boundary {
  readonly kind: BoundaryKind;
  /** Whether `see` must be asked even after the start is over. */
  readonly isPassing: boolean;
  /** @returns 'mark' for the call that we planted, which is to be answered with an error; else the call's phase */
  see(call: CallPlace): 'start' | 'program' | 'mark';
}

/**
 * The first call of ld.so, in glibc (brk) and musl (arch_prctl, set_tid_address): where some calls are not notified, these must be, so that the mark is planted
 * before the entry is passed.
 */
export const FIRST_CALLS: ReadonlySet<number | undefined> = new Set(
  ['brk', 'arch_prctl', 'set_tid_address'].map((name) => syscallNumber(NATIVE_ARCH, name)),
);

/** Chooses the best boundary for an image, at its first notified call; `seesAll`: every call is notified. */
export function findBoundary(call: CallPlace, arch: ArchName, seesAll: boolean): Boundary {
  const aux = auxiliaryVector(call.tid, ARCHES[arch].bits);
  const base = aux?.get(AT_BASE) ?? 0n;
  // Static, or a process we may not look into.
  if (aux === undefined || base === 0n) return ALL_PROGRAM;
  const isEarly = seesAll || FIRST_CALLS.has(call.nr);
  const mark = arch === NATIVE_ARCH && isEarly ? plantMark(call.tid, aux.get(AT_ENTRY) ?? 0n, base) : undefined;
  return mark ?? byInstructionPointer(call.tid, base, arch);
}

/** Address of ld.so's first instruction, by its ELF header in memory; undefined where there is no 64-bit one. */
function interpreterEntry(memory: ProcessMemory, base: bigint): bigint | undefined {
  const header = memory.read(base, 64);
  const isElf64 = header !== undefined && header[0] === 0x7f && header[1] === 0x45 && header[4] === 2;
  return isElf64 ? base + new DataView(header.buffer).getBigUint64(24, true) : undefined;
}

function plantMark(pid: number, entry: bigint, base: bigint): Boundary | undefined {
  const memory = ProcessMemory.open(pid);
  if (memory === undefined) return undefined;
  try {
    const loader = interpreterEntry(memory, base);
    const first = loader === undefined ? undefined : memory.read(loader, 4);
    if (loader === undefined || first === undefined) return undefined;
    const cave = loader + MARK.caveOffset(first);
    const savedEntry = memory.read(entry, MARK.entrySize);
    const savedCave = memory.read(cave, MARK.cave.length);
    if (savedEntry === undefined || savedCave === undefined) return undefined;
    if (!memory.write(cave, MARK.cave)) return undefined;
    if (!memory.write(entry, MARK.entry(loader))) return undefined;
    return new EntryMark(entry, cave, savedEntry, savedCave);
  } finally {
    memory.close();
  }
}

class EntryMark implements Boundary {
  readonly kind = 'entry';
  readonly #entry: bigint;
  readonly #cave: bigint;
  readonly #savedEntry: Uint8Array;
  readonly #savedCave: Uint8Array;
  /** Tasks that have passed the mark and still need the cave for one jump. */
  readonly #passing = new Set<number>();
  #phase: 'start' | 'program' = 'start';

  constructor(entry: bigint, cave: bigint, savedEntry: Uint8Array, savedCave: Uint8Array) {
    this.#entry = entry;
    this.#cave = cave;
    this.#savedEntry = savedEntry;
    this.#savedCave = savedCave;
  }

  get isPassing(): boolean {
    return this.#passing.size > 0;
  }

  see(call: CallPlace): 'start' | 'program' | 'mark' {
    // A child that a library's constructor forked carries the mark too, and passes it on its own.
    if (call.nr === MARK_NR && call.ip === this.#cave + MARK.caveReturn) {
      restore(call.tid, this.#entry, this.#savedEntry);
      this.#passing.add(call.tid);
      this.#phase = 'program';
      return 'mark';
    }
    if (this.#passing.delete(call.tid)) restore(call.tid, this.#cave, this.#savedCave);
    return this.#phase;
  }
}

function restore(pid: number, address: bigint, bytes: Uint8Array): void {
  const memory = ProcessMemory.open(pid);
  memory?.write(address, bytes);
  memory?.close();
}

/** glibc calls it from __libc_early_init, in libc.so, before ld.so is done. */
function earlyCall(arch: ArchName): number | undefined {
  return syscallNumber(arch, ARCHES[arch].bits === 64 ? 'prlimit64' : 'ugetrlimit');
}

/** Nothing to pass, or nothing to tell it by: then rather too much is the program's than too little. */
const ALL_PROGRAM: Boundary = { kind: 'exec', isPassing: false, see: () => 'program' };

/**
 * Start ends with the first call from outside ld.so, but for the first of the kind that libc's early initialisation makes one of. An i386 program calls through the
 * vdso, its ld.so does not (glibc, sysdeps/unix/sysv/linux/i386/sysdep.h). musl's ld.so is its libc: there is no outside.
 */
function byInstructionPointer(pid: number, base: bigint, arch: ArchName): Boundary {
  const early = earlyCall(arch);
  const interpreter = findMapping(pid, base)?.name;
  if (interpreter === undefined || /musl/.test(interpreter)) return ALL_PROGRAM;
  let phase: 'start' | 'program' = 'start';
  let isEarly = true;
  const see = (call: CallPlace): 'start' | 'program' => {
    if (phase === 'program') return phase;
    if (isEarly && call.nr === early) {
      isEarly = false;
      return phase;
    }
    if (findMapping(call.tid, call.ip)?.name !== interpreter) phase = 'program';
    return phase;
  };
  return { kind: 'ip', isPassing: false, see };
}
