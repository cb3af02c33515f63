import { writeSync } from 'node:fs';
import { PolicyError, ProgramError, type SelkieError, SyscallError, UnsupportedError } from '../base/errors.ts';

/**
 * Writing to descriptors directly. `process.stdout` and its kin would set O_NONBLOCK on pipes that a child shares, and the child would
 * lose data.
 */
function writeAll(descriptor: number, text: string): void {
  let bytes: Uint8Array = Buffer.from(text);
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(writeSync(descriptor, bytes));
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === 'EPIPE') return;
      if (code !== 'EAGAIN') throw error;
      // Somebody else made the pipe non-blocking: wait a little and go on.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}

/** Results, on stdout. */
export function print(text: string): void {
  writeAll(1, text.endsWith('\n') ? text : `${text}\n`);
}

/** What a person should know of how something was read, on stderr. */
export function sayNote(note: string): void {
  say(`note: ${note}`);
}

/** Selkie's own words, on stderr. */
export function say(text: string): void {
  writeAll(2, text.endsWith('\n') ? text : `${text}\n`);
}

/** JSON with 64-bit numbers: those that a double cannot hold become decimal strings. */
export function toJson(value: unknown): string {
  const plain = (_key: string, item: unknown): unknown => {
    if (typeof item !== 'bigint') return item;
    return item <= BigInt(Number.MAX_SAFE_INTEGER) && item >= -BigInt(Number.MAX_SAFE_INTEGER)
      ? Number(item)
      : String(item);
  };
  return JSON.stringify(value, plain, 2);
}

/** What `--json` prints for a fault. */
export function errorFields(error: SelkieError): object {
  return {
    error: {
      code: error.code,
      message: error.message,
      ...(error instanceof PolicyError && error.place ? error.place : {}),
      ...(error instanceof ProgramError && error.pc !== undefined ? { pc: error.pc } : {}),
      ...(error instanceof SyscallError ? { call: error.call, errno: error.errno } : {}),
      ...(error instanceof UnsupportedError ? { feature: error.feature, since: error.since } : {}),
    },
  };
}

/** Did the kernel or the machine refuse, rather than the input? */
export function isRefusal(error: unknown): boolean {
  return error instanceof SyscallError || error instanceof UnsupportedError;
}
