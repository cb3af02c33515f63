import { closeSync, openSync, readlinkSync, readSync } from 'node:fs';
import { AT_FDCWD, NR } from './abi.ts';
import { addressOf, mustSyscall, trySyscall } from './libc.ts';

/** Other processes: pidfds, memory and /proc. A `pid` may also be a thread's id: /proc has every thread under its own. */

const O_RDWR = 2;
const O_CLOEXEC = 0o2000000;

/** A descriptor that stands for a process: pidfd_open(2), since 5.3. @throws {SyscallError} */
export function openPidfd(pid: number): number {
  return mustSyscall('pidfd_open', `watch process ${pid}`, NR.pidfd_open, pid, 0);
}

/** A copy of another process's descriptor: pidfd_getfd(2), since 5.6; needs the right to trace it. @throws {SyscallError} */
export function takeDescriptor(pidfd: number, fd: number): number {
  return mustSyscall('pidfd_getfd', `take descriptor ${fd}`, NR.pidfd_getfd, pidfd, fd, 0);
}

/** Sends a signal to the very process a pidfd stands for, never to one that got its number later. @returns 0 or -errno */
export function sendSignal(pidfd: number, signal: number): number {
  return trySyscall(NR.pidfd_send_signal, pidfd, signal, null, 0);
}

/** kill(2). @returns 0 or -errno */
export function kill(pid: number, signal: number): number {
  return trySyscall(NR.kill, pid, signal);
}

/** The process group of `pid`, 0 for ourselves; -errno where it has gone. */
export function processGroup(pid: number): number {
  return trySyscall(NR.getpgid, pid);
}

/**
 * Memory of another process through /proc/PID/mem, which also writes where a mapping is read-only (its pages are copied first).
 * Addresses are bigint and go through pread64 and pwrite64: node:fs loses them (writeSync ignores a bigint position).
 */
export class ProcessMemory {
  readonly #fd: number;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** @returns undefined where it cannot be opened: the process has gone, or we may not trace it */
  static open(pid: number): ProcessMemory | undefined {
    const path = Buffer.from(`/proc/${pid}/mem\0`);
    const fd = trySyscall(NR.openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
    return fd < 0 ? undefined : new ProcessMemory(fd);
  }

  /** Exactly `length` bytes, or undefined where not all of them can be read. */
  read(address: bigint, length: number): Uint8Array | undefined {
    // Safe because: `bytes` is ours, `length` long, and referenced until the call is over.
    const bytes = new Uint8Array(length);
    return trySyscall(NR.pread64, this.#fd, bytes, length, address) === length ? bytes : undefined;
  }

  /** @returns whether all bytes were written; kernels may forbid it (proc_mem.force_override) */
  write(address: bigint, bytes: Uint8Array): boolean {
    // Safe because: the kernel only reads `bytes`, which is referenced until the call is over.
    return trySyscall(NR.pwrite64, this.#fd, bytes, bytes.length, address) === bytes.length;
  }

  close(): void {
    trySyscall(NR.close, this.#fd);
  }
}

/** Copies memory of another process by process_vm_readv(2): what is readable there, no force. @returns undefined where refused */
export function readMemory(pid: number, address: bigint, length: number): Uint8Array | undefined {
  const bytes = new Uint8Array(length);
  const local = Buffer.alloc(16);
  local.writeBigUInt64LE(addressOf(bytes), 0);
  local.writeBigUInt64LE(BigInt(length), 8);
  const remote = Buffer.alloc(16);
  remote.writeBigUInt64LE(address, 0);
  remote.writeBigUInt64LE(BigInt(length), 8);
  // Safe because: both iovecs and `bytes` are ours and referenced until the call is over.
  const read = trySyscall(NR.process_vm_readv, pid, local, 1, remote, 1, 0);
  return read === length ? bytes : undefined;
}

/** Path of the running executable, as the kernel prints it (with " (deleted)" where it is gone); undefined where refused. */
export function executableOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return undefined;
  }
}

/** The first 64 bytes of the running executable, an ELF header; undefined where refused. */
export function executableHeader(pid: number): Uint8Array | undefined {
  let fd: number | undefined;
  try {
    fd = openSync(`/proc/${pid}/exe`, 'r');
    const header = new Uint8Array(64);
    return readSync(fd, header, 0, header.length, 0) === header.length ? header : undefined;
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** include/uapi/linux/auxvec.h */
export const AT_PHDR = 3;
export const AT_BASE = 7;
export const AT_ENTRY = 9;

/** The auxiliary vector: type to value; undefined where refused. `bits` are those of the process's pointers. */
export function auxiliaryVector(pid: number, bits: 32 | 64): ReadonlyMap<number, bigint> | undefined {
  const bytes = readProc(pid, 'auxv');
  if (bytes === undefined || bytes.length < bits / 4) return undefined;
  const values = new Map<number, bigint>();
  const word = (offset: number) => (bits === 64 ? bytes.readBigUInt64LE(offset) : BigInt(bytes.readUInt32LE(offset)));
  for (let offset = 0; offset + bits / 4 <= bytes.length; offset += bits / 4)
    values.set(Number(word(offset)), word(offset + bits / 8));
  return values;
}

/** A line of /proc/PID/maps that has a file or a [name]. Addresses and file offset in bytes, `end` exclusive. */
export interface Mapping {
  readonly start: bigint;
  readonly end: bigint;
  readonly offset: bigint;
  /** Of the file; 0 where there is none. */
  readonly inode: bigint;
  /** As seen from our own root; a file that our mounts do not reach is named as its own do. */
  readonly name: string;
}

/** The mapping that holds an address; undefined where there is none or the kernel refuses. */
export function findMapping(pid: number, address: bigint): Mapping | undefined {
  return mappings(pid).find(({ start, end }) => address >= start && address < end);
}

/** What a process may execute, by address; empty where the kernel refuses. */
export function executableMappings(pid: number): readonly Mapping[] {
  return mappings(pid, /^.{3,40} ..x. /);
}

/** Lines of /proc/PID/maps, those that match only. */
function mappings(pid: number, wanted?: RegExp): readonly Mapping[] {
  const text = readProc(pid, 'maps')?.toString('utf8') ?? '';
  const found: Mapping[] = [];
  for (const line of text.split('\n')) {
    const match = wanted?.test(line) === false ? null : MAPPING.exec(line);
    if (match === null) continue;
    const [start = 0n, end = 0n, offset = 0n] = match.slice(1, 4).map((hex) => BigInt(`0x${hex}`));
    found.push({ start, end, offset, inode: BigInt(match[4] ?? 0), name: match[5] || '[anonymous]' });
  }
  return found;
}

const MAPPING = /^([0-9a-f]+)-([0-9a-f]+) \S+ ([0-9a-f]+) \S+ (\d+) *(.*)$/;

/** The stack pointer of a thread that waits in a call (proc_pid_syscall(5)); undefined where it runs, or we may not trace it. */
export function stackPointer(tid: number): bigint | undefined {
  // Between the kernel's word of a call and the thread's sleep the file says "running".
  for (let tries = 0; tries < 1000; tries += 1) {
    const fields = readProc(tid, 'syscall')?.toString('latin1').trim().split(' ');
    if (fields === undefined) return undefined;
    const [stack] = fields.slice(-2);
    if (fields.length >= 3 && stack?.startsWith('0x')) return BigInt(stack);
  }
  return undefined;
}

/** What /proc/PID/status says about identity and signals; masks have bit N-1 for signal N. */
export interface ProcessStatus {
  readonly tgid: number;
  readonly ppid: number;
  readonly ignored: bigint;
  readonly blocked: bigint;
  readonly caught: bigint;
}

/** In the order of fs/proc/array.c. */
const STATUS = /^Tgid:\t(\d+)$[\s\S]*^PPid:\t(\d+)$[\s\S]*^SigBlk:\t(\w+)\nSigIgn:\t(\w+)\nSigCgt:\t(\w+)$/m;

/** Reads /proc/PID/status; undefined where the process has gone. */
export function processStatus(pid: number | 'self'): ProcessStatus | undefined {
  const [, tgid, ppid, ...masks] = STATUS.exec(readProc(pid, 'status')?.toString('latin1') ?? '') ?? [];
  if (tgid === undefined) return undefined;
  const [blocked = 0n, ignored = 0n, caught = 0n] = masks.map((mask) => BigInt(`0x${mask}`));
  return { tgid: Number(tgid), ppid: Number(ppid), ignored, blocked, caught };
}

/**
 * Where files of /proc are read. A recorder reads some for each process and seldom collects garbage: readFileSync would make a buffer of 64 KiB
 * for each, or with an encoding objects that outlive a scavenge.
 */
let contents = Buffer.allocUnsafeSlow(1 << 14);

/** A file of a process, valid until the next call. */
function readProc(pid: number | 'self', file: string): Buffer | undefined {
  let fd: number | undefined;
  try {
    fd = openSync(`/proc/${pid}/${file}`, 'r');
    let length = 0;
    for (let read = -1; read !== 0; length += read) {
      if (length === contents.length) contents = Buffer.concat([contents], 2 * length);
      read = readSync(fd, contents, length, contents.length - length, null);
    }
    return contents.subarray(0, length);
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
