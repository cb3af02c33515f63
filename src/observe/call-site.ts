import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { PF_X, PT_LOAD } from '../elf/format.ts';
import { type GoPlace, type GoTable, readGoTable } from '../elf/gopclntab.ts';
import { type ElfFile, readElf } from '../elf/read.ts';
import { functionAt } from '../elf/symbols.ts';
import { findMapping, type Mapping, ProcessMemory, stackPointer } from '../kernel/process.ts';

/** Where a call was made. */
export interface CallSite {
  /** The file that holds the instruction; undefined where the kernel does not say. */
  readonly module: string | undefined;
  /** The function that makes the call, in Go the first that is no mere wrapper of system calls; undefined when unsure. */
  readonly function: string | undefined;
  /** `runtime/sys_linux_amd64.s:54`, where the file says. */
  readonly source?: string | undefined;
  /** In Go the first function behind it that is not of the standard library, with its line where that is sure: `main.main (main.go:12)`. */
  readonly caller?: string | undefined;
  /** The module was built by Go. */
  readonly isGo?: boolean;
}

interface Image {
  readonly elf: ElfFile;
  readonly go: GoTable | undefined;
}

/** Functions of Go that only pass a call on. */
const GO_WRAPPER =
  /^(?:internal\/runtime\/syscall\/?\w*|runtime\/internal\/syscall|syscall|golang\.org\/x\/sys\/unix|vendor\/golang\.org\/x\/sys\/unix)\.(?:Raw|raw)?(?:Vfork)?[Ss]yscall(?:\w*|6)$|^syscall\.(?:runtime_|rawSyscallNoError)\w*/;
/** Frames of Go that are looked at. */
const DEPTH = 24;

/** Finds call sites by mappings, symbols and Go's tables; files are read once. */
export class CallSites {
  readonly #images = new Map<string, Image | undefined>();

  /** @param ip - the address after the syscall instruction */
  find(tid: number, ip: bigint): CallSite {
    // The instruction itself: what follows it may be another function.
    const mapping = findMapping(tid, ip - 1n);
    if (mapping === undefined || !mapping.name.startsWith('/')) return { module: mapping?.name, function: undefined };
    const module = basename(mapping.name);
    const image = this.#image(mapping.name);
    const address = image && addressOf(image.elf, mapping, ip - 1n);
    if (!image || address === undefined) return { module, function: undefined };
    const place = image.go?.placeOf(address);
    if (place && image.go) return { module, isGo: true, ...goSite(goFrames(tid, image.go, place, ip - 1n, address)) };
    return { module, function: functionAt(image.elf, address) };
  }

  /** A file that was deleted or replaced by a newer one has " (deleted)" in its mapping, and so is not found. */
  #image(path: string): Image | undefined {
    if (!this.#images.has(path)) this.#images.set(path, readImage(path));
    return this.#images.get(path);
  }
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

function goSite(frames: readonly GoPlace[]): Omit<CallSite, 'module' | 'isGo'> {
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

function readImage(path: string): Image | undefined {
  try {
    const elf = readElf(readFileSync(path));
    return { elf, go: readGoTable(elf) };
  } catch {
    return undefined;
  }
}

function addressOf(elf: ElfFile, mapping: Mapping, ip: bigint): number | undefined {
  const offset = Number(ip - mapping.start + mapping.offset);
  const holds = elf.segments.find(
    (each) =>
      each.type === PT_LOAD && (each.flags & PF_X) !== 0 && offset >= each.offset && offset < each.offset + each.filesz,
  );
  return holds && offset - holds.offset + holds.vaddr;
}
