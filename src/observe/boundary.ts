import type { ArchName } from '../facts/arches.ts';
import { AT_BASE, AT_ENTRY, auxiliaryVector, findMapping, ProcessMemory } from '../kernel/process.ts';

/**
 * Where `start` ends and the program begins, in the first image of a recording.
 *
 * A static program begins with its first call. In a dynamic one ld.so runs first, and what it calls is start. Its end is found without
 * ptrace: while the process waits in ld.so's first call, its entry point is overwritten by code that makes a call of our own,
 *
 *     entry: mov eax, MARK_NR             cave: syscall
 *            lea r10, [entry]                   jmp r10
 *            movabs r11, cave
 *            jmp r11
 *
 * which is notified to us; then the bytes are put back and the program goes to its entry as if nothing had been. The cave is ld.so's own
 * first instructions, which have run and never run again. rax, rcx, r10, r11 are free at a program's entry (System V ABI, 3.4.1).
 */

/** How the boundary was found: no ld.so to pass, our mark at the entry, or by the instruction pointer of calls. */
export type BoundaryKind = 'exec' | 'entry' | 'ip';

/** The number of our own call: one that no kernel has. */
export const MARK_NR = 0x5e1c1e;
const ENTRY_SIZE = 25;
const CAVE_SIZE = 5;
const CAVE_CODE = Uint8Array.of(0x0f, 0x05, 0x41, 0xff, 0xe2);
const CAVE_RETURN = 2n;

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
 * The first call of ld.so on x86_64, in glibc (brk) and musl (arch_prctl, set_tid_address): where some calls are not notified, these must be, so
 * that the mark is planted before the entry is passed.
 */
export const FIRST_CALLS: ReadonlySet<number> = new Set([12, 158, 218]);

/** Chooses the best boundary for an image, at its first notified call; `seesAll`: every call is notified. */
export function findBoundary(call: CallPlace, arch: ArchName, seesAll: boolean): Boundary {
  const aux = auxiliaryVector(call.tid, arch === 'x86_64' ? 64 : 32);
  const base = aux?.get(AT_BASE) ?? 0n;
  // Static, or a process we may not look into.
  if (aux === undefined || base === 0n) return ALL_PROGRAM;
  const isEarly = seesAll || FIRST_CALLS.has(call.nr);
  const mark = arch === 'x86_64' && isEarly ? plantMark(call.tid, aux.get(AT_ENTRY) ?? 0n, base) : undefined;
  return mark ?? byInstructionPointer(call.tid, base);
}

/** The code at the entry; see the picture above. */
function entryCode(cave: bigint): Uint8Array {
  const code = Uint8Array.of(
    0xb8,
    0,
    0,
    0,
    0,
    0x4c,
    0x8d,
    0x15,
    0,
    0,
    0,
    0,
    0x49,
    0xbb,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0x41,
    0xff,
    0xe3,
  );
  const view = new DataView(code.buffer);
  view.setUint32(1, MARK_NR, true);
  // lea ends 12 bytes behind the entry.
  view.setInt32(8, -12, true);
  view.setBigUint64(14, cave, true);
  return code;
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
    const cave = interpreterEntry(memory, base);
    const savedEntry = memory.read(entry, ENTRY_SIZE);
    const savedCave = cave === undefined ? undefined : memory.read(cave, CAVE_SIZE);
    if (cave === undefined || savedEntry === undefined || savedCave === undefined) return undefined;
    if (!memory.write(cave, CAVE_CODE)) return undefined;
    if (!memory.write(entry, entryCode(cave))) return undefined;
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
    if (call.nr === MARK_NR && call.ip === this.#cave + CAVE_RETURN) {
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
const PRLIMIT64_X86_64 = 302;
/** The same for i386: ugetrlimit. */
const UGETRLIMIT_I386 = 191;

/** Nothing to pass, or nothing to tell it by: then rather too much is the program's than too little. */
const ALL_PROGRAM: Boundary = { kind: 'exec', isPassing: false, see: () => 'program' };

/**
 * Start ends with the first call from outside ld.so, but for the first of the kind that libc's early initialisation makes one of. An i386 program calls through the
 * vdso, its ld.so does not (glibc, sysdeps/unix/sysv/linux/i386/sysdep.h). musl's ld.so is its libc: there is no outside.
 */
function byInstructionPointer(pid: number, base: bigint): Boundary {
  const interpreter = findMapping(pid, base)?.name;
  if (interpreter === undefined || /musl/.test(interpreter)) return ALL_PROGRAM;
  let phase: 'start' | 'program' = 'start';
  let isEarly = true;
  const see = (call: CallPlace): 'start' | 'program' => {
    if (phase === 'program') return phase;
    if (isEarly && (call.nr === PRLIMIT64_X86_64 || call.nr === UGETRLIMIT_I386)) {
      isEarly = false;
      return phase;
    }
    if (findMapping(call.tid, call.ip)?.name !== interpreter) phase = 'program';
    return phase;
  };
  return { kind: 'ip', isPassing: false, see };
}
