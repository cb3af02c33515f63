import { ByteReader, damaged } from './bytes.ts';

/** Reads DWARF's encodings one after the other. Sources: DWARF 5, 7.6 (LEB128); LSB Core, 10.5 (pointer encodings of .eh_frame). */

/** An encoded pointer: form in the low four bits, what it is relative to in the next three. */
export const DW_EH_PE_OMIT = 0xff;
const DW_EH_PE_PCREL = 0x10;
const DW_EH_PE_DATAREL = 0x30;
const DW_EH_PE_INDIRECT = 0x80;

/** Bytes of a form; 0 where the form has no fixed size. */
const FORM_SIZE: ReadonlyMap<number, number> = new Map([
  [0x00, 8],
  [0x02, 2],
  [0x03, 4],
  [0x04, 8],
  [0x0a, 2],
  [0x0b, 4],
  [0x0c, 8],
]);

/** A place in a file that is mapped: reads move it on. */
export class DwarfCursor {
  readonly #reader: ByteReader;
  readonly #view: DataView;
  /** What to add to an offset in the file to get the address it is mapped at. */
  readonly #bias: number;
  /** Offset in the file. */
  offset: number;

  /** @param bias - of the segment: its address less its offset */
  constructor(bytes: Uint8Array, offset: number, bias: number) {
    this.#reader = new ByteReader(bytes);
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#bias = bias;
    this.offset = offset;
  }

  /** The address of what is read next, as linked. */
  get address(): number {
    return this.offset + this.#bias;
  }

  /** Unsigned, 1 to 8 bytes. @throws ElfError `elf_damaged`, as all reads here, beyond the end of the file */
  unsigned(size: 1 | 2 | 4 | 8): number {
    const at = this.#step(size);
    if (size === 8) return this.#reader.u64(at, 'a word of .eh_frame');
    return size === 4
      ? this.#view.getUint32(at, true)
      : size === 2
        ? this.#view.getUint16(at, true)
        : this.#view.getUint8(at);
  }

  /** Unsigned LEB128. */
  uleb(): number {
    return Number(this.#leb().value);
  }

  /** Signed LEB128. */
  sleb(): number {
    const { value, bits } = this.#leb();
    return Number(BigInt.asIntN(bits, value));
  }

  /** The bytes of a block whose length is a LEB128. */
  block(): Uint8Array {
    const size = this.uleb();
    return this.#reader.slice(this.#step(size), size, 'a block of .eh_frame');
  }

  /** Text that ends in a zero byte. */
  text(): string {
    const text = this.#reader.string(this.offset, 'an augmentation of .eh_frame');
    this.offset += text.length + 1;
    return text;
  }

  /**
   * A pointer by its encoding; relative to its own place or to `data`.
   * @throws ElfError for an encoding that .eh_frame of x86-64 does not have
   */
  pointer(encoding: number, data = 0): number {
    const base = this.address;
    const value = this.number(encoding);
    const relation = encoding & 0x70;
    if ((encoding & DW_EH_PE_INDIRECT) !== 0) throw damaged('an indirect pointer in .eh_frame');
    if (relation === 0) return value;
    if (relation === DW_EH_PE_PCREL) return base + value;
    if (relation === DW_EH_PE_DATAREL) return data + value;
    throw damaged(`a pointer in .eh_frame is encoded by 0x${encoding.toString(16)}`);
  }

  /** The number of an encoded pointer alone: the size of a range. */
  number(encoding: number): number {
    const form = encoding & 0x0f;
    if (form === 0x01) return this.uleb();
    if (form === 0x09) return this.sleb();
    const at = this.#step(FORM_SIZE.get(form) ?? 0);
    if (form === 0x02) return this.#view.getUint16(at, true);
    if (form === 0x03) return this.#view.getUint32(at, true);
    if (form === 0x0a) return this.#view.getInt16(at, true);
    if (form === 0x0b) return this.#view.getInt32(at, true);
    if (form === 0x00 || form === 0x04) return this.#reader.u64(at, 'a pointer of .eh_frame');
    if (form === 0x0c) return Number(this.#view.getBigInt64(at, true));
    throw damaged(`a pointer in .eh_frame is encoded by 0x${encoding.toString(16)}`);
  }

  #leb(): { readonly value: bigint; readonly bits: number } {
    let value = 0n;
    for (let bits = 0; bits < 70; ) {
      const byte = this.unsigned(1);
      value |= BigInt(byte & 0x7f) << BigInt(bits);
      bits += 7;
      if (byte < 0x80) return { value, bits };
    }
    throw damaged('a number of .eh_frame has no end');
  }

  /** Moves on. @returns where it was */
  #step(size: number): number {
    const at = this.offset;
    this.#reader.require(at, size, 'a field of .eh_frame');
    this.offset += size;
    return at;
  }
}
