import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { SelkieError, UnsupportedError } from '../base/errors.ts';
import { Btf } from '../ebpf/btf.ts';
import type { CgroupScope } from '../ebpf/cgroup.ts';
import {
  CALL_KEY,
  CALLER,
  COUNT,
  FOLLOW,
  GLOBALS,
  HIT,
  IMAGE,
  IMAGE_KEY,
  IN_PROGRAM,
  PROCESS,
  ROOM,
} from '../ebpf/layout.ts';
import { entryProgram, tracingPrograms } from '../ebpf/programs.ts';
import {
  attachBreakpoint,
  attachTracepoint,
  createMap,
  deleteElement,
  isEmptyMap,
  kernelTypes,
  loadProgram,
  MAP_ARRAY,
  MAP_HASH,
  type MapShape,
  readMap,
  roomFor,
  setElement,
} from '../kernel/bpf.ts';
import { closeDescriptor } from '../kernel/descriptors.ts';
import { AT_ENTRY, auxiliaryVector, executableOf } from '../kernel/process.ts';
import type { ExecutableCall } from './tally.ts';
import type { ArgumentTracer } from './traced-arguments.ts';
import { TracedCalls } from './traced-calls.ts';

/** eBPF programs on the tracepoints of system calls, while it is open: what the processes call that it is told to observe. */

/** Processors that count apart, at most: what they counted is added up at every look. */
const MOST_COPIES = 8;
const COPIES = Math.min(MOST_COPIES, 2 ** Math.ceil(Math.log2(availableParallelism())));

const SHAPES = {
  processes: { name: 'processes', type: MAP_HASH, key: 4, value: PROCESS.size, entries: ROOM.processes },
  callers: { name: 'callers', type: MAP_ARRAY, key: 4, value: CALLER.size * CALLER.room, entries: 1 },
  counts: { name: 'counts', type: MAP_HASH, key: CALL_KEY.size, value: COUNT.size, entries: ROOM.counts },
  hits: { name: 'hits', type: MAP_ARRAY, key: 4, value: HIT.size * HIT.room * COPIES, entries: 1 },
  threads: { name: 'threads', type: MAP_HASH, key: 4, value: 4, entries: ROOM.threads },
  images: { name: 'images', type: MAP_HASH, key: IMAGE_KEY.size, value: IMAGE.size, entries: ROOM.images },
  globals: { name: 'globals', type: MAP_ARRAY, key: 4, value: GLOBALS.size, entries: 1 },
  scratch: { name: 'scratch', type: MAP_ARRAY, key: 4, value: IMAGE.size, entries: 1 },
} as const satisfies { readonly [name: string]: MapShape };

const BTF_FILE = '/sys/kernel/btf/vmlinux';
/** Numbers of images that the programs have not seen executed; theirs count from 1. */
const FIRST_IMAGE = 1;
const FIRST_OWN_IMAGE = 0x2000_0000;

export class Tracer {
  readonly #fds: number[] = [];
  readonly #maps: { readonly [K in keyof typeof SHAPES]: number };
  readonly #calls = new TracedCalls();
  readonly #room = {
    counts: roomFor(SHAPES.counts),
    hits: roomFor(SHAPES.hits),
    images: roomFor(SHAPES.images),
    globals: roomFor(SHAPES.globals),
  };
  #imagesRead = 0;
  #nextImage = FIRST_OWN_IMAGE;
  #entryProgram: number | undefined;
  #breakpoint: number | undefined;
  #news = { images: 0n, kinds: 0n };
  #arguments: ArgumentTracer | undefined;

  /**
   * Loads and attaches the programs.
   *
   * @param Arguments - tells calls apart by their arguments; absent: nothing does
   * @param scope - observe the processes that come into this cgroup; those inside are to be named by observeRunning
   * @throws {UnsupportedError} no rights, no BTF, or a kernel before 5.12; {SyscallError}
   */
  constructor(Arguments: typeof ArgumentTracer | undefined, scope: CgroupScope | undefined) {
    try {
      const map = (shape: MapShape) => this.#keep(createMap(shape));
      this.#maps = {
        processes: map(SHAPES.processes),
        callers: map(SHAPES.callers),
        counts: map(SHAPES.counts),
        hits: map(SHAPES.hits),
        threads: map(SHAPES.threads),
        images: map(SHAPES.images),
        globals: map(SHAPES.globals),
        scratch: map(SHAPES.scratch),
      };
      this.#attach(Arguments, scope);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Nothing of it stays in the kernel. */
  close(): void {
    this.#leaveEntry();
    for (const fd of this.#fds.reverse()) closeDescriptor(fd);
    this.#fds.length = 0;
  }

  /** Observes a process that will execute the command, from then on. `hasStart`: its program begins where watchEntry will say, and not at once. */
  observeLaunch(pid: number, hasStart: boolean): void {
    this.#setProcess(pid, 0, FOLLOW | (hasStart ? 0 : IN_PROGRAM));
  }

  /** Notes when the program of a process begins, which has been executed and has not run yet. @returns false where that cannot be seen */
  watchEntry(pid: number, bits: 32 | 64): boolean {
    const address = auxiliaryVector(pid, bits)?.get(AT_ENTRY);
    if (address === undefined || this.#entryProgram === undefined) return false;
    this.#breakpoint = attachBreakpoint(this.#entryProgram, pid, address);
    return this.#breakpoint !== undefined;
  }

  /** Observes a process that runs, with all its threads, from now on; `follow`: and all that it starts. @returns its executable */
  observeRunning(pid: number, follow: boolean): string | undefined {
    const path = executableOf(pid);
    if (path === undefined) return undefined;
    const image = this.#nextImage;
    this.#nextImage += 1;
    this.#calls.nameImage(image, path);
    this.#setProcess(pid, image, IN_PROGRAM | (follow ? FOLLOW : 0));
    // Its end may have been before that: nobody would take it out.
    if (executableOf(pid) === undefined) deleteElement(this.#maps.processes, keyOf(pid));
    return path;
  }

  /** Whether a process that is observed lives. */
  get hasProcesses(): boolean {
    return !isEmptyMap(this.#maps.processes, 4);
  }

  /** Whether there are kinds of calls or executables that `read` has not read: looks at four numbers only. */
  get hasNews(): boolean {
    const globals = this.#globals();
    if (globals('entered') > 0n) this.#leaveEntry();
    return globals('kinds') > this.#news.kinds || globals('images') > this.#news.images;
  }

  /** Reads the maps, and looks up where first calls came from while their processes live. @returns all calls so far */
  read(): number {
    const globals = this.#globals();
    const news = { images: globals('images'), kinds: globals('kinds') };
    // An image has its number a moment before it is in the map.
    if (news.images > this.#imagesRead) this.#readImages();
    this.#news = news;
    const counts = readMap(this.#maps.counts, SHAPES.counts, this.#room.counts);
    const calls = this.#calls.update(counts, readMap(this.#maps.hits, SHAPES.hits, this.#room.hits).values);
    // After them: each call has its arguments counted first.
    if (this.#arguments) this.#calls.updateArguments(this.#arguments.read());
    return calls;
  }

  /** See TracedCalls. */
  takeFresh(): readonly ExecutableCall[] {
    return this.#calls.takeFresh();
  }

  /** What `read` has read. */
  results(): readonly ExecutableCall[] {
    return this.#calls.results();
  }

  /** The path of what was executed first. */
  get firstImage(): string | undefined {
    return this.#calls.pathOf(FIRST_IMAGE);
  }

  /** Undefined while the maps have had room for everything. */
  get loss(): SelkieError | undefined {
    const lost = this.#globals()('lost');
    if (lost === 0n) return undefined;
    const { processes, threads, counts, images } = ROOM;
    const room = `${processes} processes, ${threads} threads with filters, ${counts} kinds of calls and ${images} executables`;
    const problem = `Cannot record all: ${lost} calls or processes found no room: wanted at most ${room} at a time`;
    return new SelkieError('incomplete', `${problem}: record less, or with --backend notify`);
  }

  #attach(Arguments: typeof ArgumentTracer | undefined, scope: CgroupScope | undefined): void {
    const btf = readBtf();
    if (Arguments) this.#arguments = new Arguments(btf, this.#maps, (fd) => this.#keep(fd));
    for (const [name, code] of tracingPrograms(btf, this.#maps, COPIES, scope)) {
      const program = this.#keep(loadProgram({ name, code, tracepoint: btf.typedef(`btf_trace_${name}`) }));
      this.#keep(attachTracepoint(program, name));
    }
    this.#entryProgram = this.#keep(loadProgram({ name: 'entry', code: entryProgram(this.#maps) }));
  }

  /** It has done its work; debuggers have use for breakpoints. */
  #leaveEntry(): void {
    if (this.#breakpoint !== undefined) closeDescriptor(this.#breakpoint);
    this.#breakpoint = undefined;
  }

  #readImages(): void {
    const images = readMap(this.#maps.images, SHAPES.images, this.#room.images);
    this.#calls.addImages(images);
    this.#imagesRead = images.count;
  }

  #globals(): (member: Exclude<keyof typeof GLOBALS, 'size'>) => bigint {
    const { values } = readMap(this.#maps.globals, SHAPES.globals, this.#room.globals);
    return (member) => values.readBigUInt64LE(GLOBALS[member]);
  }

  #setProcess(pid: number, image: number, flags: number): void {
    const value = Buffer.alloc(PROCESS.size);
    value.writeUInt32LE(image, PROCESS.image);
    value.writeUInt32LE(flags, PROCESS.flags);
    setElement(this.#maps.processes, keyOf(pid), value);
  }

  #keep(fd: number): number {
    this.#fds.push(fd);
    return fd;
  }
}

function keyOf(pid: number): Buffer {
  const key = Buffer.alloc(4);
  key.writeUInt32LE(pid);
  return key;
}

/** Opens one, with the tables that arguments need. @throws as its constructor */
export async function openTracer(args: boolean, scope?: CgroupScope): Promise<Tracer> {
  return new Tracer(args ? (await import('./traced-arguments.ts')).ArgumentTracer : undefined, scope);
}

function readBtf(): Btf {
  try {
    return new Btf(kernelTypes() ?? readFileSync(BTF_FILE));
  } catch (cause) {
    if (cause instanceof UnsupportedError) throw cause;
    const wanted = 'wanted a kernel with CONFIG_DEBUG_INFO_BTF: use --backend notify';
    throw new UnsupportedError('eBPF', `Cannot read the kernel's types: ${BTF_FILE}: ${wanted}`, '5.12', { cause });
  }
}
