import { ElfError } from '../base/errors.ts';

/** Reads little-endian numbers; whatever lies outside is an ElfError, never an exception of another class. */
export class ByteReader {
  readonly bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u8(offset: number, what: string): number {
    this.require(offset, 1, what);
    return this.#view.getUint8(offset);
  }

  u16(offset: number, what: string): number {
    this.require(offset, 2, what);
    return this.#view.getUint16(offset, true);
  }

  u32(offset: number, what: string): number {
    this.require(offset, 4, what);
    return this.#view.getUint32(offset, true);
  }

  /** A 64-bit number that stays exact as a JavaScript number. */
  u64(offset: number, what: string): number {
    this.require(offset, 8, what);
    const value = this.#view.getBigUint64(offset, true);
    if (value > BigInt(Number.MAX_SAFE_INTEGER))
      throw damaged(`${what} is 0x${value.toString(16)}, beyond any file or address`);
    return Number(value);
  }

  /** A copy-free view of a range. */
  slice(offset: number, size: number, what: string): Uint8Array {
    this.require(offset, size, what);
    return this.bytes.subarray(offset, offset + size);
  }

  /** Bytes up to the next zero byte, as text. */
  string(offset: number, what: string): string {
    this.require(offset, 1, what);
    const end = this.bytes.indexOf(0, offset);
    if (end < 0) throw damaged(`${what} has no end`);
    return new TextDecoder().decode(this.bytes.subarray(offset, end));
  }

  /** @throws ElfError when the range does not lie inside. */
  require(offset: number, size: number, what: string): void {
    const inside =
      Number.isSafeInteger(offset + size) && offset >= 0 && size >= 0 && offset + size <= this.bytes.length;
    if (!inside)
      throw damaged(
        `${what} (0x${offset.toString(16)}, ${size} bytes) lies outside the file of ${this.bytes.length} bytes`,
      );
  }
}

/** Little-endian reads; what is outside of the file is undefined, where ByteReader throws. */
export class LooseReader {
  readonly bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u32(at: number): number | undefined {
    return at >= 0 && at + 4 <= this.bytes.length ? this.#view.getUint32(at, true) : undefined;
  }

  word(at: number): number | undefined {
    const [low, high] = [this.u32(at), this.u32(at + 4)];
    return low === undefined || high === undefined ? undefined : high * 2 ** 32 + low;
  }

  text(at: number): string | undefined {
    const end = at < 0 || at >= this.bytes.length ? -1 : this.bytes.indexOf(0, at);
    return end < 0 || end - at > 4096 ? undefined : new TextDecoder().decode(this.bytes.subarray(at, end));
  }
}

/** Writes little-endian numbers into bytes that are already there. */
export class ByteWriter {
  readonly bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u16(offset: number, value: number): void {
    this.#view.setUint16(offset, value, true);
  }

  u32(offset: number, value: number): void {
    this.#view.setUint32(offset, value, true);
  }

  u64(offset: number, value: number): void {
    this.#view.setBigUint64(offset, BigInt(value), true);
  }
}

/** The error for a file that contradicts itself or ends too early. */
export function damaged(problem: string): ElfError {
  return new ElfError('elf_damaged', `Cannot read the ELF file, it is damaged: ${problem}`);
}

/** What a reader returns; undefined where the file is damaged there. */
export function unlessDamaged<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof ElfError) return undefined;
    throw error;
  }
}

/** `value` rounded up to a multiple of `boundary`. */
export function alignUp(value: number, boundary: number): number {
  return Math.ceil(value / boundary) * boundary;
}
