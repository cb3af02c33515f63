import { callerRegisters, type Registers, RIP, RSP } from '../elf/unwind.ts';
import { ProcessMemory, stackPointer } from '../kernel/process.ts';
import type { Place } from './modules.ts';

/** The stack of a thread that waits in a call, by .eh_frame. The kernel tells sp and pc alone, so that the walk ends where more is needed. */

/** Frames that are looked at. */
const DEPTH = 64;
const PAGE = 4096n;
/** rdi, rsi, rdx, r10, r8, r9 by DWARF's numbers (syscall(2), psABI of x86-64). */
const ARGUMENTS: readonly number[] = [5, 4, 1, 10, 8, 9];

/**
 * The places that a thread has come by, innermost first: the instruction that calls the kernel, then those that call functions. Goes as far
 * as it is asked.
 *
 * @param ip - the address after the system call instruction
 * @param args - of a call of x86_64: the registers that hold them. vfork keeps its return address there; empty for other ABIs
 */
export function* stackOf(
  tid: number,
  ip: bigint,
  args: readonly bigint[],
  placeOf: (pc: bigint) => Place | undefined,
): Generator<Place> {
  const first = placeOf(ip - 1n);
  if (first === undefined) return;
  yield first;
  const sp = first.image && stackPointer(tid);
  const memory = sp === undefined ? undefined : ProcessMemory.open(tid);
  if (sp === undefined || memory === undefined) return;
  const known = args.map((value, index) => [ARGUMENTS[index] ?? 0, value] as const);
  try {
    yield* walk(first, new Map([...known, [RSP, sp], [RIP, ip]]), placeOf, wordReader(memory));
  } finally {
    memory.close();
  }
}

function* walk(
  first: Place,
  start: Registers,
  placeOf: (pc: bigint) => Place | undefined,
  read: (address: bigint) => bigint | undefined,
): Generator<Place> {
  let row = first.image?.rowAt(first.address);
  let registers = start;
  for (let frames = 1; row && frames < DEPTH; frames += 1) {
    const caller = callerRegisters(row, registers, read);
    const [from = 0n, to = 0n] = [registers.get(RSP), caller?.get(RSP)];
    // Stacks grow down; a handler's may lie elsewhere (sigaltstack(2)).
    if (!caller || (to <= from && !row.isSignal)) return;
    // A call stands before the place it returns to; a signal interrupts the very instruction.
    const place = placeOf((caller.get(RIP) as bigint) - (row.isSignal ? 0n : 1n));
    if (place?.image === undefined) return;
    const next = place.image.rowAt(place.address);
    // Where no call stands, instructions lied to us on the way; a handler returns to what the kernel put there.
    if (!row.isSignal && !next?.isSignal && !place.image.isCall(place.address)) return;
    row = next;
    // What a handler returns to is the kernel's doing: nobody called it.
    if (!row?.isSignal) yield place;
    registers = caller;
  }
}

/** Reads words by pages, each once. */
function wordReader(memory: ProcessMemory): (address: bigint) => bigint | undefined {
  const pages = new Map<bigint, Uint8Array | undefined>();
  return (address) => {
    const page = address - (address % PAGE);
    if (address % 8n !== 0n) return undefined;
    if (!pages.has(page)) pages.set(page, memory.read(page, Number(PAGE)));
    const bytes = pages.get(page);
    return bytes && new DataView(bytes.buffer).getBigUint64(Number(address - page), true);
  };
}
