import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { SyscallError, UnsupportedError } from '../base/errors.ts';

/**
 * The only file that loads koffi. Everything goes through libc's `syscall`, so that glibc and musl behave alike; posix_spawn and
 * `environ` are the two exceptions. Struct layouts of this folder are those of x86-64 and AArch64 alike (little-endian, 64-bit).
 */

type Koffi = typeof import('koffi');

/** What a system call takes: integers (negative ones too), memory of ours, or null. */
export type Argument = number | bigint | Uint8Array | null;

type SyscallFunction = (nr: number, ...args: Argument[]) => number | bigint;
type IoctlFunction = (fd: number, request: number, argument: Argument) => number;
type PollFunction = (fds: Uint8Array, count: number, timeoutMs: number) => number;

interface Libc {
  readonly koffi: Koffi;
  readonly syscall: SyscallFunction;
  readonly ioctl: IoctlFunction;
  readonly poll: PollFunction;
  readonly function: (name: string, result: string, parameters: readonly string[]) => (...args: unknown[]) => unknown;
  readonly symbol: (name: string) => unknown;
}

let loaded: Libc | undefined;

/** Koffi's packages of machines, by `process.arch`. */
const PACKAGES: Readonly<Record<string, string>> = {
  x64: '@koromix/koffi-linux-x64',
  arm64: '@koromix/koffi-linux-arm64',
};

/** What this machine is not, for messages; undefined on one on which Selkie can talk to the kernel: Linux on x86-64 or AArch64. */
export function unsupportedMachine(): string | undefined {
  if (process.platform === 'linux' && Object.hasOwn(PACKAGES, process.arch)) return undefined;
  return `found ${process.platform} on ${process.arch}, wanted linux on x64 or arm64`;
}

/**
 * For what is written for the registers and instructions of one machine.
 *
 * @param purpose - reads after "Cannot"
 * @throws {UnsupportedError} on AArch64
 */
export function requireX8664(purpose: string, instead = 'do it on such a machine'): void {
  if (process.arch === 'arm64')
    throw new UnsupportedError('x86-64', `Cannot ${purpose} on AArch64: only on x86-64 for now: ${instead}`);
}

/**
 * Loads koffi once (about 20 ms), on the first call that needs the kernel.
 *
 * @throws {UnsupportedError} on another system or CPU, or where npm left out koffi's package of this one
 */
export function libc(): Libc {
  if (loaded !== undefined) return loaded;
  const problem = unsupportedMachine();
  if (problem !== undefined)
    throw new UnsupportedError(
      'system calls',
      `Cannot talk to the kernel: ${problem}: run Selkie there, or in a Linux container`,
    );
  const koffi = loadKoffi(PACKAGES[process.arch] as string);
  const library = koffi.load(null);
  const pointer = 'void *';
  // Safe because: every argument is a machine word or the address of a typed array that koffi keeps alive for the call.
  const syscall = library.func('syscall', 'int64', ['long', pointer, pointer, pointer, pointer, pointer, pointer]);
  loaded = {
    koffi,
    syscall: syscall as unknown as SyscallFunction,
    ioctl: library.func('ioctl', 'int', ['int', 'ulong', pointer]) as unknown as IoctlFunction,
    poll: library.func('poll', 'int', [pointer, 'ulong', 'int']) as unknown as PollFunction,
    function: (name, result, parameters) => library.func(name, result, [...parameters]),
    symbol: (name) => library.symbol(name),
  };
  return loaded;
}

function loadKoffi(name: string): Koffi {
  try {
    return createRequire(import.meta.url)(name) as Koffi;
  } catch (cause) {
    const { message } = cause as Error;
    throw new UnsupportedError(
      'system calls',
      `Cannot talk to the kernel: the package ${name} cannot be loaded (${message.split('\n')[0]}): npm install ${name}`,
      undefined,
      { cause },
    );
  }
}

/** errno of the call just made on this thread; read it before anything else runs. */
export function lastErrno(): number {
  return libc().koffi.errno();
}

/** The address of memory of ours. Valid while `memory` is referenced: keep it in a variable until the call is over. */
export function addressOf(memory: Uint8Array | Uint32Array): bigint {
  return libc().koffi.address(memory);
}

const ERRNO_NAMES: ReadonlyMap<number, string> = new Map(
  // EAGAIN and EWOULDBLOCK, ENOTSUP and EOPNOTSUPP share numbers: the first name is the man pages' one.
  Object.entries(constants.errno)
    .reverse()
    .map(([name, number]) => [number, name]),
);

/** `EPERM` for 1; `errno 3517` for a number without a name. */
export function errnoName(errno: number): string {
  return ERRNO_NAMES.get(errno) ?? `errno ${errno}`;
}

/**
 * Makes a system call and says how it ended as the kernel does.
 *
 * @returns the result, or -errno
 */
export function trySyscall(nr: number, ...args: Argument[]): number {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = args;
  const result = Number(libc().syscall(nr, a, b, c, d, e, f));
  return result === -1 ? -lastErrno() : result;
}

/** Builds the error for a call that the kernel refused; `purpose` reads after "Cannot". */
export function syscallError(call: string, errno: number, purpose: string): SyscallError {
  return new SyscallError(call, errno, `Cannot ${purpose}: ${call}: ${errnoName(errno)}`);
}

/**
 * Makes a system call.
 *
 * @param call - its name, for the message
 * @param purpose - what it is made for; reads after "Cannot"
 * @throws {SyscallError} with errno and call
 */
export function mustSyscall(call: string, purpose: string, nr: number, ...args: Argument[]): number {
  const result = trySyscall(nr, ...args);
  if (result < 0) throw syscallError(call, -result, purpose);
  return result;
}

/** A NUL-terminated array of NUL-terminated strings, as argv. `memory` keeps the strings alive: hold it until the call is over. */
export function stringArray(strings: readonly string[]): {
  readonly pointers: Uint8Array;
  readonly memory: Uint8Array;
} {
  const parts = strings.map((string) => Buffer.from(`${string}\0`, 'utf8'));
  const memory = Buffer.concat(parts);
  const pointers = Buffer.alloc(8 * (strings.length + 1));
  let address = strings.length === 0 ? 0n : addressOf(memory);
  parts.forEach((part, index) => {
    pointers.writeBigUInt64LE(address, 8 * index);
    address += BigInt(part.length);
  });
  return { pointers, memory };
}

/** `environ` of this process: byte for byte what it was given, plus what process.env changed. */
export function environPointer(): bigint {
  const { koffi, symbol } = libc();
  return BigInt(koffi.decode(symbol('environ'), 'uint64') as number | bigint);
}
