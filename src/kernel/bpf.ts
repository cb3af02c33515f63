import { SyscallError, UnsupportedError } from '../base/errors.ts';
import { NR } from './abi.ts';
import { addressOf, errnoName, mustSyscall, trySyscall } from './libc.ts';

/**
 * bpf(2): maps, programs, and where they are attached. Every descriptor is close-on-exec, and what is attached stays so only while its
 * descriptor is open: however this process ends, nothing of it remains.
 */

const BPF_MAP_CREATE = 0;
const BPF_MAP_UPDATE_ELEM = 2;
const BPF_MAP_DELETE_ELEM = 3;
const BPF_MAP_GET_NEXT_KEY = 4;
const BPF_PROG_LOAD = 5;
const BPF_OBJ_GET_INFO_BY_FD = 15;
const BPF_RAW_TRACEPOINT_OPEN = 17;
const BPF_BTF_GET_FD_BY_ID = 19;
const BPF_MAP_LOOKUP_BATCH = 24;

/** include/uapi/linux/bpf.h: enum bpf_map_type, bpf_prog_type, bpf_attach_type. */
export const MAP_HASH = 1;
export const MAP_ARRAY = 2;
const PROGRAM_PERF_EVENT = 7;
const PROGRAM_TRACING = 26;
const BPF_TRACE_RAW_TP = 23;

const EPERM = 1;
const ENOENT = 2;
const EAGAIN = 11;
const EACCES = 13;
const ATTR_SIZE = 128;

/** union bpf_attr, filled by offsets; longer than what an old kernel knows is fine while it is zeros. */
function bpf(command: number, fill: (attr: Buffer) => void): number {
  const attr = Buffer.alloc(ATTR_SIZE);
  fill(attr);
  // Safe because: `attr` holds addresses of memory that the callers keep referenced until the call is over.
  return trySyscall(NR.bpf, command, attr, ATTR_SIZE);
}

function must(result: number, purpose: string, log = ''): number {
  if (result >= 0) return result;
  if ((result === -EPERM || result === -EACCES) && log === '') throw refused(purpose, -result);
  const end = log === '' ? '' : `: the verifier says: ${log}`;
  throw new SyscallError('bpf', -result, `Cannot ${purpose}: bpf: ${errnoName(-result)}${end}`);
}

function refused(purpose: string, errno: number): UnsupportedError {
  return new UnsupportedError(
    'eBPF',
    `Cannot ${purpose}: bpf: ${errnoName(errno)}: wanted root, or CAP_BPF and CAP_PERFMON, and no outer filter that forbids bpf: use --backend notify`,
    '5.12',
  );
}

/** The kernel's own types are the first that get a number, where a module or a user was not first. */
const KERNEL_TYPES = 1;

/**
 * The kernel's types in one piece: BPF_OBJ_GET_INFO_BY_FD (5.11). /sys/kernel/btf/vmlinux, which has the same bytes, gives a page at a time.
 *
 * @returns undefined where that is refused (it needs CAP_SYS_ADMIN), or number 1 is something else
 */
export function kernelTypes(): Uint8Array | undefined {
  const fd = bpf(BPF_BTF_GET_FD_BY_ID, (attr) => {
    attr.writeUInt32LE(KERNEL_TYPES, 0);
  });
  if (fd < 0) return undefined;
  try {
    const size = typesInfo(fd, new Uint8Array(0))?.size ?? 0;
    const types = Buffer.allocUnsafeSlow(size);
    return typesInfo(fd, types)?.name === 'vmlinux' ? types : undefined;
  } finally {
    trySyscall(NR.close, fd);
  }
}

/** struct bpf_btf_info: u64 btf; u32 btf_size, id; u64 name; u32 name_len, kernel_btf. */
function typesInfo(fd: number, types: Uint8Array): { readonly size: number; readonly name: string } | undefined {
  const info = Buffer.alloc(32);
  const name = Buffer.alloc(16);
  if (types.length > 0) info.writeBigUInt64LE(addressOf(types), 0);
  info.writeUInt32LE(types.length, 8);
  info.writeBigUInt64LE(addressOf(name), 16);
  info.writeUInt32LE(name.length, 24);
  // Safe because: the kernel writes at most as much as `info` says, into memory that is referenced until the call is over.
  const result = bpf(BPF_OBJ_GET_INFO_BY_FD, (attr) => {
    attr.writeUInt32LE(fd, 0);
    attr.writeUInt32LE(info.length, 4);
    attr.writeBigUInt64LE(addressOf(info), 8);
  });
  if (result < 0 || info.readUInt32LE(28) !== 1) return undefined;
  return { size: info.readUInt32LE(8), name: name.toString('latin1', 0, name.indexOf(0)) };
}

/** What a map is made of; sizes in bytes. */
export interface MapShape {
  readonly name: string;
  readonly type: typeof MAP_HASH | typeof MAP_ARRAY;
  readonly key: number;
  readonly value: number;
  readonly entries: number;
}

/** Makes a map: BPF_MAP_CREATE. @returns its descriptor @throws {UnsupportedError} not permitted; {SyscallError} */
export function createMap({ name, type, key, value, entries }: MapShape): number {
  const result = bpf(BPF_MAP_CREATE, (attr) => {
    [type, key, value, entries].forEach((word, index) => {
      attr.writeUInt32LE(word, 4 * index);
    });
    attr.write(name.slice(0, 15), 28, 'latin1');
  });
  return must(result, `make a map of ${entries} ${name}`);
}

/** Sets a value: BPF_MAP_UPDATE_ELEM. @throws {SyscallError} */
export function setElement(map: number, key: Uint8Array, value: Uint8Array): void {
  const result = bpf(BPF_MAP_UPDATE_ELEM, (attr) => {
    attr.writeUInt32LE(map, 0);
    attr.writeBigUInt64LE(addressOf(key), 8);
    attr.writeBigUInt64LE(addressOf(value), 16);
  });
  must(result, 'set an element of a map');
}

/** Deletes an element, where there is one: BPF_MAP_DELETE_ELEM. */
export function deleteElement(map: number, key: Uint8Array): void {
  bpf(BPF_MAP_DELETE_ELEM, (attr) => {
    attr.writeUInt32LE(map, 0);
    attr.writeBigUInt64LE(addressOf(key), 8);
  });
}

/** Whether a hash has no element: BPF_MAP_GET_NEXT_KEY. */
export function isEmptyMap(map: number, keySize: number): boolean {
  const next = Buffer.alloc(keySize);
  const result = bpf(BPF_MAP_GET_NEXT_KEY, (attr) => {
    attr.writeUInt32LE(map, 0);
    attr.writeBigUInt64LE(addressOf(next), 16);
  });
  return result === -ENOENT;
}

/** Keys and values of a map, one behind the other. */
export interface MapContent {
  readonly count: number;
  readonly keys: Buffer;
  readonly values: Buffer;
}

/** Where the content of a map is put: megabytes, which one had better make once. */
export type MapRoom = Omit<MapContent, 'count'>;

/** Room for all that a map can hold. */
export function roomFor({ key, value, entries }: MapShape): MapRoom {
  return { keys: Buffer.alloc(key * entries), values: Buffer.alloc(value * entries) };
}

/** Reads a hash or an array whole: BPF_MAP_LOOKUP_BATCH (5.6). The content stays in `room`. @throws {SyscallError} */
export function readMap(map: number, shape: MapShape, room: MapRoom): MapContent {
  const { keys, values } = room;
  const attr = Buffer.alloc(ATTR_SIZE);
  const cursor = Buffer.alloc(16);
  [cursor, keys, values].forEach((memory, index) => {
    attr.writeBigUInt64LE(addressOf(memory), 8 + 8 * index);
  });
  attr.writeUInt32LE(shape.entries, 32);
  attr.writeUInt32LE(map, 36);
  // Safe because: there is room for all that the map can hold. ENOENT: that was all.
  const result = trySyscall(NR.bpf, BPF_MAP_LOOKUP_BATCH, attr, ATTR_SIZE);
  if (result !== -ENOENT) must(result, 'read a map');
  return { count: attr.readUInt32LE(32), keys, values };
}

/** A program to be loaded. */
export interface ProgramShape {
  readonly name: string;
  readonly code: Uint8Array;
  /** The number of the tracepoint's type btf_trace_NAME; absent for a breakpoint's program. */
  readonly tracepoint?: number;
}

const LOG_SIZE = 1 << 16;
const LICENSE = Buffer.from('Dual MIT/GPL\0');

/**
 * Loads a program: BPF_PROG_LOAD. The licence that it declares is the kernel's condition for helpers that read its memory.
 *
 * @returns its descriptor
 * @throws {UnsupportedError} not permitted; {SyscallError} with the end of the verifier's log
 */
export function loadProgram(program: ProgramShape): number {
  let result = tryLoad(program, undefined);
  // A signal interrupts the verifier: do it again, as libbpf does.
  for (let tries = 0; result === -EAGAIN && tries < 100; tries += 1) result = tryLoad(program, undefined);
  if (result >= 0) return result;
  const log = Buffer.alloc(LOG_SIZE);
  const again = tryLoad(program, log);
  const text = log.toString('latin1', 0, log.indexOf(0)).trim().split('\n').slice(-8).join(' | ');
  return must(again, `load the program for ${program.name}`, text);
}

function tryLoad({ name, code, tracepoint }: ProgramShape, log: Buffer | undefined): number {
  return bpf(BPF_PROG_LOAD, (attr) => {
    attr.writeUInt32LE(tracepoint === undefined ? PROGRAM_PERF_EVENT : PROGRAM_TRACING, 0);
    attr.writeUInt32LE(code.length / 8, 4);
    attr.writeBigUInt64LE(addressOf(code), 8);
    attr.writeBigUInt64LE(addressOf(LICENSE), 16);
    if (log) {
      attr.writeUInt32LE(1, 24);
      attr.writeUInt32LE(log.length, 28);
      attr.writeBigUInt64LE(addressOf(log), 32);
    }
    attr.write(name.slice(0, 15), 48, 'latin1');
    if (tracepoint === undefined) return;
    attr.writeUInt32LE(BPF_TRACE_RAW_TP, 68);
    attr.writeUInt32LE(tracepoint, 108);
  });
}

/** Attaches a program to the tracepoint that it was loaded for: BPF_RAW_TRACEPOINT_OPEN. @returns the link @throws {SyscallError} */
export function attachTracepoint(program: number, name: string): number {
  const result = bpf(BPF_RAW_TRACEPOINT_OPEN, (attr) => {
    attr.writeUInt32LE(program, 8);
  });
  return must(result, `observe ${name}`);
}

const PERF_FLAG_FD_CLOEXEC = 8;
const PERF_EVENT_IOC_ENABLE = 0x2400;
const PERF_EVENT_IOC_SET_BPF = 0x4004_2408;
const PERF_ATTR_SIZE = 112;
const PERF_TYPE_BREAKPOINT = 5;
const HW_BREAKPOINT_X = 4;
/** disabled, exclude_kernel, exclude_hv */
const PERF_BITS = 0x61n;

/**
 * Runs a program when a thread comes to an address, by one of the processor's breakpoints: perf_event_open(2).
 *
 * @returns a descriptor, undefined where the kernel refuses, or other breakpoints have taken all that there are
 */
export function attachBreakpoint(program: number, tid: number, address: bigint): number | undefined {
  const attr = Buffer.alloc(PERF_ATTR_SIZE);
  attr.writeUInt32LE(PERF_TYPE_BREAKPOINT, 0);
  attr.writeUInt32LE(PERF_ATTR_SIZE, 4);
  attr.writeBigUInt64LE(1n, 16);
  attr.writeBigUInt64LE(PERF_BITS, 40);
  attr.writeUInt32LE(HW_BREAKPOINT_X, 52);
  attr.writeBigUInt64LE(address, 56);
  attr.writeBigUInt64LE(8n, 64);
  const event = trySyscall(NR.perf_event_open, attr, tid, -1, -1, PERF_FLAG_FD_CLOEXEC);
  if (event < 0) return undefined;
  mustSyscall('ioctl', 'set the program of a breakpoint', NR.ioctl, event, PERF_EVENT_IOC_SET_BPF, program);
  mustSyscall('ioctl', 'enable a breakpoint', NR.ioctl, event, PERF_EVENT_IOC_ENABLE, 0);
  return event;
}
