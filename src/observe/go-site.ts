import { basename } from 'node:path';
import type { GoPlace, GoTable } from '../elf/gopclntab.ts';
import { ProcessMemory, stackPointer } from '../kernel/process.ts';

/** Call sites in Go code: Go's own table says frames, functions and lines. */

/** Functions of Go that only pass a call on. */
const GO_WRAPPER =
  /^(?:internal\/runtime\/syscall\/?\w*|runtime\/internal\/syscall|syscall|golang\.org\/x\/sys\/unix|vendor\/golang\.org\/x\/sys\/unix)\.(?:Raw|raw)?(?:Vfork)?[Ss]yscall(?:\w*|6)$|^syscall\.(?:runtime_|rawSyscallNoError)\w*/;
/** Frames of Go that are looked at. */
const DEPTH = 24;

/** Which function of Go makes a call, and which of the program's led there. */
export interface GoSite {
  readonly function: string | undefined;
  readonly source: string | undefined;
  readonly caller: string | undefined;
}

/**
 * Finds it by the stack of a thread that waits in a call.
 *
 * @param pc - in the system call instruction; `address` the same as linked
 */
export function goSite(tid: number, go: GoTable, first: GoPlace, pc: bigint, address: number): GoSite {
  return siteOf(goFrames(tid, go, first, pc, address));
}

/** Unwinds a Go stack by the table's frame sizes, innermost first, until something is not Go's. */
function goFrames(tid: number, go: GoTable, first: GoPlace, ip: bigint, address: number): readonly GoPlace[] {
  const frames = [first];
  let stack = stackPointer(tid);
  const memory = stack === undefined ? undefined : ProcessMemory.open(tid);
  const bias = ip - BigInt(address);
  for (let frame: GoPlace | undefined = first; memory && stack !== undefined && frames.length < DEPTH; ) {
    if (frame?.frameSize === undefined || frame.frameSize < 0) break;
    stack += BigInt(frame.frameSize);
    const bytes = memory.read(stack, 8);
    if (!bytes) break;
    // The instruction that called, not the one to return to.
    const caller = new DataView(bytes.buffer).getBigUint64(0, true) - 1n - bias;
    frame = caller > 0n && caller < 2n ** 47n ? go.placeOf(Number(caller)) : undefined;
    if (!frame) break;
    frames.push(frame);
    stack += 8n;
  }
  memory?.close();
  return frames;
}

function siteOf(frames: readonly GoPlace[]): GoSite {
  const index = frames.findIndex((frame) => !GO_WRAPPER.test(frame.function));
  const made = frames[index] ?? frames[0];
  const caller = frames.slice(Math.max(index, 0) + 1).find((frame) => isProgramsOwn(frame.function));
  return {
    function: made?.function,
    source: made && sureSource(made),
    caller: caller && callerText(caller),
  };
}

/** Packages of the standard library have no dot in the first part of their path. */
function isProgramsOwn(name: string): boolean {
  const [first = ''] = name.split('/');
  return name.includes('/') ? first.includes('.') : name.startsWith('main.');
}

function callerText(place: GoPlace): string {
  const source = sureSource(place);
  return source === undefined ? place.function : `${place.function} (${source})`;
}

/** The table's line may be that of an inlined function of the standard library: no line rather than one of another function. */
function sureSource(place: GoPlace): string | undefined {
  const source = sourceOf(place);
  const isSure =
    source === undefined || !isProgramsOwn(place.function) || !source.includes('/') || isProgramsOwn(source);
  return isSure ? source : undefined;
}

/** `runtime/proc.go:283`: the path from the root of its sources on, else the file's name. */
function sourceOf({ file, line }: GoPlace): string | undefined {
  if (file === undefined || line === undefined) return undefined;
  const short = /^\/.*\/src\/(.*)$/.exec(file)?.[1] ?? (file.startsWith('/') ? basename(file) : file);
  return `${short}:${line}`;
}
