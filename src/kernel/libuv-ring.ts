import { fstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { UnsupportedError } from '../base/errors.ts';
import { NR } from './abi.ts';
import { trySyscall } from './libc.ts';
import { ProcessMemory } from './process.ts';

/**
 * Since libuv 1.49 (Node 22) each event loop batches its epoll_ctl calls through an io_uring of its own, made when the loop is: for Node's own
 * loops before any code of the program runs. A filter that refuses io_uring_enter then makes libuv abort, and one that allows it lets
 * everything through that a ring can do (openat, connect, ...), as no filter sees the operations of a ring. So each loop is told that it has
 * no ring: libuv then calls epoll_ctl (src/unix/linux.c, uv__epoll_ctl_prep: `if (ctl->ringfd == -1)`). Loops of later workers get ENOSYS
 * from io_uring_setup, and do the same by themselves.
 *
 * Nothing is guessed: a ring's struct uv__iou is known by the addresses, the length and the descriptor that the kernel states for the ring, or
 * the confinement is refused.
 */

/** Loops of a Node process without workers or inspector: the main one, tracing, delayed tasks. */
const LOOPS_OF_NODE = 3;
/** More than struct uv__iou takes (src/unix/internal.h, src/uv-common.h: 128 bytes). */
const IOU_SIZE = 160;
const CHUNK = 1 << 20;
const EBADF = 9;

interface Ring {
  readonly fd: number;
  /** Where its queues are mapped, and its entries. */
  readonly queues: bigint;
  readonly entries: bigint;
  readonly entriesSize: bigint;
}

interface Mapping {
  readonly start: bigint;
  readonly end: bigint;
  readonly offset: bigint;
  readonly inode: number;
  readonly name: string;
}

/**
 * Makes Node's loops independent of io_uring, where they are not already. Only before there are workers.
 *
 * @throws {UnsupportedError} there are rings that cannot be given up
 */
export function giveUpRings(): void {
  const descriptors = ringDescriptors();
  // Where a filter refuses them already, loops that use a ring have ended with an abort, or gave it up.
  if (descriptors.length === 0 || areRefused()) return;
  if (descriptors.length > LOOPS_OF_NODE)
    throw refusal('workers or the inspector run already, each with a ring of its own: confine first, start them later');
  const mappings = readMappings();
  const rings = ringsOf(mappings, descriptors);
  const memory = ProcessMemory.open(process.pid);
  if (!memory) throw refusal('/proc/self/mem cannot be opened');
  try {
    giveUp(memory, rings, mappings);
  } finally {
    memory.close();
  }
}

function readMappings(): readonly Mapping[] {
  // start-end perms offset device inode name: proc_pid_maps(5)
  const pattern = /^([0-9a-f]+)-([0-9a-f]+) rw\S+ ([0-9a-f]+) \S+ (\d+) *(.*)$/gm;
  try {
    return [...readFileSync('/proc/self/maps', 'latin1').matchAll(pattern)].map(
      ([, start, end, offset, inode, name]) => ({
        start: BigInt(`0x${start}`),
        end: BigInt(`0x${end}`),
        offset: BigInt(`0x${offset}`),
        inode: Number(inode),
        name: name ?? '',
      }),
    );
  } catch (error) {
    throw refusal('/proc cannot be read, so that nobody knows whether Node has rings', error);
  }
}

/** io_uring_setup(2): the queues are mapped from IORING_OFF_SQ_RING, the entries from IORING_OFF_SQES. */
function ringsOf(mappings: readonly Mapping[], descriptors: readonly number[]): readonly Ring[] {
  return descriptors.map((fd) => {
    const { ino } = fstatSync(fd);
    const queues = mappings.find(({ inode, offset }) => inode === ino && offset === 0n);
    const entries = mappings.find(({ inode, offset }) => inode === ino && offset === 0x1000_0000n);
    if (!queues || !entries) throw refusal(`the ring of descriptor ${fd} is not mapped`);
    return { fd, queues: queues.start, entries: entries.start, entriesSize: entries.end - entries.start };
  });
}

/** @throws {UnsupportedError} nobody can tell whether there are some */
function ringDescriptors(): readonly number[] {
  try {
    return readdirSync('/proc/self/fd').map(Number).filter(isRing);
  } catch (error) {
    if (!loopsHaveRings() || areRefused()) return [];
    throw refusal('/proc/self/fd cannot be read, so that nobody knows them', error);
  }
}

function isRing(fd: number): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`) === 'anon_inode:[io_uring]';
  } catch {
    // The descriptor by which the folder was read is closed.
    return false;
  }
}

function loopsHaveRings(): boolean {
  const [major = 0, minor = 0] = (process.versions.uv ?? '').split('.').map(Number);
  return major > 1 || minor >= 49;
}

/** Whether a filter answers instead of the kernel, which says EBADF to a descriptor that is none. */
function areRefused(): boolean {
  return trySyscall(NR.io_uring_enter, -1, 0, 0, 0, null, 0) !== -EBADF;
}

/** Writes -1 where a loop keeps its ring's descriptor. */
function giveUp(memory: ProcessMemory, rings: readonly Ring[], mappings: readonly Mapping[]): void {
  const fields = new Map<Ring, readonly bigint[]>();
  for (const mapping of wherePlaced(mappings)) {
    const missing = rings.filter((ring) => !fields.has(ring));
    if (missing.length === 0) break;
    for (const [ring, addresses] of findFields(memory, mapping, missing)) fields.set(ring, addresses);
  }
  for (const ring of rings) {
    const [field, other] = fields.get(ring) ?? [];
    if (field === undefined || other !== undefined) throw refusal('this version of libuv keeps them elsewhere');
    if (isPending(ring))
      throw refusal('a loop is about to use its ring: confine before the program does anything else');
  }
  // Safe because: the main loop does not run while this thread is in JavaScript, and the others register nothing but at their start.
  for (const [field] of fields.values())
    if (field === undefined || !memory.write(field, Uint8Array.of(0xff, 0xff, 0xff, 0xff)))
      throw refusal('/proc/self/mem is read-only');
}

/** Memory of malloc: the heap first, then arenas of threads, which are in high addresses; V8's heap is below. */
function wherePlaced(mappings: readonly Mapping[]): readonly Mapping[] {
  const heap = mappings.filter(({ name }) => name === '[heap]');
  return [...heap, ...mappings.filter(({ name }) => name === '').reverse()];
}

/** Addresses of the descriptors' fields of struct uv__iou, in one mapping. */
function findFields(
  memory: ProcessMemory,
  { start, end }: Mapping,
  rings: readonly Ring[],
): ReadonlyMap<Ring, readonly bigint[]> {
  const found = new Map<Ring, bigint[]>();
  for (let from = start; from < end; from += BigInt(CHUNK)) {
    const length = Math.min(CHUNK + IOU_SIZE, Number(end - from));
    const bytes = memory.read(from, length);
    if (!bytes) return found;
    const words = new BigUint64Array(bytes.buffer, 0, length >> 3);
    for (const ring of rings) {
      for (let at = words.indexOf(ring.queues); at >= 0 && at * 8 < CHUNK; at = words.indexOf(ring.queues, at + 1)) {
        const field = fieldOf(words.subarray(at, at + IOU_SIZE / 8), ring);
        if (field !== undefined) found.set(ring, [...(found.get(ring) ?? []), from + BigInt((at + field) * 8)]);
      }
    }
  }
  return found;
}

/**
 * struct uv__iou begins with the address of the submission queue's head, which is that of the queues. Then come, in this order, the queues' own
 * address, the entries' address, the entries' length, and the descriptor.
 */
function fieldOf(words: BigUint64Array, { fd, queues, entries, entriesSize }: Ring): number | undefined {
  const own = words.indexOf(queues, 1);
  const address = own < 0 ? -1 : words.indexOf(entries, own);
  const size = address < 0 ? -1 : words.indexOf(entriesSize, address);
  const field = words[size + 1];
  return size >= 0 && field !== undefined && Number(field & 0xffff_ffffn) === fd ? size + 1 : undefined;
}

/** Whether entries wait to be submitted: the kernel's word for the ring (io_uring_show_fdinfo). */
function isPending({ fd }: Ring): boolean {
  const info = readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1');
  const [head, tail] = ['SqHead', 'SqTail'].map((name) => new RegExp(`^${name}:\\s*(\\d+)`, 'm').exec(info)?.[1]);
  return head === undefined || head !== tail;
}

function refusal(reason: string, cause?: unknown): UnsupportedError {
  const message = `Cannot confine this process: Node's event loops use io_uring, whose operations no filter sees, and it cannot be given up: ${reason}`;
  return new UnsupportedError('io_uring', message, undefined, { cause });
}
