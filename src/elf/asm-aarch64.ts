/**
 * A small assembler for AArch64: what the launcher and the seal stub of that machine are written in. Position-independent: labels are always reached
 * relative to the instruction. Encodings: Arm ARM (DDI 0487), C4.1 and C6.2.
 *
 *     const code = new AssemblerA64().bti('jc').mov('x0', 0).mov('x8', 94).svc().assemble();
 */

type Number31 =
  | '0'
  | '1'
  | '2'
  | '3'
  | '4'
  | '5'
  | '6'
  | '7'
  | '8'
  | '9'
  | '10'
  | '11'
  | '12'
  | '13'
  | '14'
  | '15'
  | '16'
  | '17'
  | '18'
  | '19'
  | '20'
  | '21'
  | '22'
  | '23'
  | '24'
  | '25'
  | '26'
  | '27'
  | '28'
  | '29'
  | '30';
/** The name says the width; `sp` where an instruction takes it, `xzr` and `wzr` elsewhere. */
export type RegisterA64 = `x${Number31}` | `w${Number31}` | 'sp' | 'xzr' | 'wzr';

/** Memory at a register plus a displacement, which is a multiple of what is accessed, below 4,096 times it. */
export interface MemoryA64 {
  readonly base: RegisterA64;
  readonly displacement: number;
}

/** [base, displacement] as an operand. */
export function at64(base: RegisterA64, displacement = 0): MemoryA64 {
  return { base, displacement };
}

const CONDITIONS = { eq: 0, ne: 1, hs: 2, lo: 3, mi: 4, pl: 5, hi: 8, ls: 9, ge: 10, lt: 11, gt: 12, le: 13 } as const;
/** `hs lo hi ls` compare unsigned, `ge lt gt le` signed. */
export type ConditionA64 = keyof typeof CONDITIONS;

const HINTS = { c: 34, j: 36, jc: 38 } as const;

type Item =
  | { readonly kind: 'bytes'; readonly bytes: readonly number[] }
  | { readonly kind: 'align'; readonly boundary: number }
  | { readonly kind: 'label'; readonly name: string }
  /** An instruction that holds a distance: `bits` at bit `shift`, in units of 4 bytes; adr counts bytes and has two parts. */
  | { readonly kind: 'branch'; readonly word: number; readonly label: string; readonly bits: 14 | 19 | 26 }
  | { readonly kind: 'adr'; readonly word: number; readonly label: string; readonly addend: number };

const u32Bytes = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);

function numberOf(register: RegisterA64): number {
  return register === 'sp' || register === 'xzr' || register === 'wzr' ? 31 : Number(register.slice(1));
}

/** Bit 31 of most instructions: 64 bits wide. */
function isWide(register: RegisterA64): boolean {
  return !register.startsWith('w');
}

function require(isRight: boolean, problem: string): void {
  if (!isRight) throw new RangeError(problem);
}

/** Collects instructions and data; `assemble` gives the bytes. Methods return the assembler. */
export class AssemblerA64 {
  readonly #items: Item[] = [];

  /** Names this place. @throws RangeError in `assemble` when a name is given twice. */
  label(name: string): this {
    this.#items.push({ kind: 'label', name });
    return this;
  }
  data(bytes: Uint8Array): this {
    this.#items.push({ kind: 'bytes', bytes: [...bytes] });
    return this;
  }
  /** UTF-8 text without a final zero byte. */
  text(text: string): this {
    return this.data(new TextEncoder().encode(text));
  }
  u64(value: bigint): this {
    return this.#word(Number(value & 0xffff_ffffn)).#word(Number((value >> 32n) & 0xffff_ffffn));
  }
  /** Fills with zeros up to a multiple of `boundary` bytes from the start; instructions stand on multiples of 4. */
  align(boundary: number): this {
    this.#items.push({ kind: 'align', boundary });
    return this;
  }

  /** mov register, register | number of up to 64 bits (a negative one has the register's width). */
  mov(target: RegisterA64, source: RegisterA64 | number | bigint): this {
    if (typeof source !== 'string') return this.#movImmediate(target, source);
    if (target === 'sp' || source === 'sp') return this.add(target, source, 0);
    return this.#three(0x2a00_03e0, target, 'xzr', source);
  }
  /** add target, left, register | number of 12 bits or of 12 bits and 12 zeros. */
  add(target: RegisterA64, left: RegisterA64, right: RegisterA64 | number): this {
    if (typeof right !== 'number') return this.#three(0x0b00_0000, target, left, right);
    return this.#immediate12(0x1100_0000, target, left, right);
  }
  sub(target: RegisterA64, left: RegisterA64, right: RegisterA64 | number): this {
    if (typeof right !== 'number') return this.#three(0x4b00_0000, target, left, right);
    return this.#immediate12(0x5100_0000, target, left, right);
  }
  /** cmp register, register | number; a negative number is compared by cmn. */
  cmp(left: RegisterA64, right: RegisterA64 | number): this {
    const zero = isWide(left) ? 'xzr' : 'wzr';
    if (typeof right !== 'number') return this.#three(0x6b00_0000, zero, left, right);
    return this.#immediate12(right < 0 ? 0x3100_0000 : 0x7100_0000, zero, left, Math.abs(right));
  }
  neg(target: RegisterA64, source: RegisterA64): this {
    return this.sub(target, isWide(target) ? 'xzr' : 'wzr', source);
  }
  and(target: RegisterA64, left: RegisterA64, right: RegisterA64): this {
    return this.#three(0x0a00_0000, target, left, right);
  }
  /** Unsigned division; by 0 it gives 0. */
  udiv(target: RegisterA64, left: RegisterA64, right: RegisterA64): this {
    return this.#three(0x1ac0_0800, target, left, right);
  }
  /** target = minuend - left * right. */
  msub(target: RegisterA64, left: RegisterA64, right: RegisterA64, minuend: RegisterA64): this {
    return this.#three((0x1b00_8000 | (numberOf(minuend) << 10)) >>> 0, target, left, right);
  }
  /** lsl of a 64-bit register by a number. */
  lsl(target: RegisterA64, source: RegisterA64, bits: number): this {
    const fields = (((64 - bits) & 63) << 16) | ((63 - bits) << 10);
    return this.#word(0xd340_0000 | fields | (numberOf(source) << 5) | numberOf(target));
  }
  /** lsr of a 64-bit register by a number. */
  lsr(target: RegisterA64, source: RegisterA64, bits: number): this {
    return this.#word(0xd340_fc00 | (bits << 16) | (numberOf(source) << 5) | numberOf(target));
  }

  /** ldr, str: 64 or 32 bits by the register. */
  ldr(target: RegisterA64, source: MemoryA64): this {
    return this.#access(isWide(target) ? 0xf940_0000 : 0xb940_0000, target, source, isWide(target) ? 8 : 4);
  }
  str(source: RegisterA64, target: MemoryA64): this {
    return this.#access(isWide(source) ? 0xf900_0000 : 0xb900_0000, source, target, isWide(source) ? 8 : 4);
  }
  /** One byte, zero-extended. */
  ldrb(target: RegisterA64, source: MemoryA64): this {
    return this.#access(0x3940_0000, target, source, 1);
  }
  strb(source: RegisterA64, target: MemoryA64): this {
    return this.#access(0x3900_0000, source, target, 1);
  }
  /** ldrb target, [base], step: the base moves on afterwards. */
  ldrbPost(target: RegisterA64, base: RegisterA64, step: number): this {
    return this.#post(0x3840_0400, target, base, step);
  }
  strbPost(source: RegisterA64, base: RegisterA64, step: number): this {
    return this.#post(0x3800_0400, source, base, step);
  }
  /** strb source, [base, step]!: the base moves first. */
  strbPre(source: RegisterA64, base: RegisterA64, step: number): this {
    return this.#post(0x3800_0c00, source, base, step);
  }
  /** ldr of the 64 bits at a label, within 1 MiB. */
  ldrLabel(target: RegisterA64, label: string): this {
    return this.#branch(0x5800_0000 | numberOf(target), label, 19);
  }
  /** The address of a label plus `addend`, within 1 MiB. */
  adr(target: RegisterA64, label: string, addend = 0): this {
    this.#items.push({ kind: 'adr', word: 0x1000_0000 | numberOf(target), label, addend });
    return this;
  }

  /** Within 128 MiB. */
  b(label: string): this {
    return this.#branch(0x1400_0000, label, 26);
  }
  bl(label: string): this {
    return this.#branch(0x9400_0000, label, 26);
  }
  /** b.condition, within 1 MiB. */
  bif(condition: ConditionA64, label: string): this {
    return this.#branch(0x5400_0000 | CONDITIONS[condition], label, 19);
  }
  cbz(register: RegisterA64, label: string): this {
    return this.#branch((isWide(register) ? 0xb400_0000 : 0x3400_0000) | numberOf(register), label, 19);
  }
  cbnz(register: RegisterA64, label: string): this {
    return this.#branch((isWide(register) ? 0xb500_0000 : 0x3500_0000) | numberOf(register), label, 19);
  }
  /** Branches where a bit is set, within 32 KiB. */
  tbnz(register: RegisterA64, bit: number, label: string): this {
    const fields = ((bit >>> 5) << 31) | ((bit & 31) << 19) | numberOf(register);
    return this.#branch(0x3700_0000 | fields, label, 14);
  }
  br(register: RegisterA64): this {
    return this.#word(0xd61f_0000 | (numberOf(register) << 5));
  }
  ret(): this {
    return this.#word(0xd65f_03c0);
  }
  svc(): this {
    return this.#word(0xd400_0001);
  }
  /** Landing place of indirect branches under BTI: of calls, of jumps, of both. */
  bti(from: keyof typeof HINTS): this {
    return this.#word(0xd503_201f | (HINTS[from] << 5));
  }
  /** Faults in user mode, always. */
  udf(): this {
    return this.#word(0);
  }

  /** Offset of every label from the start; '' is the start. @throws RangeError for a label named twice. */
  labels(): ReadonlyMap<string, number> {
    const labels = new Map<string, number>([['', 0]]);
    let offset = 0;
    for (const item of this.#items) {
      if (item.kind === 'label') {
        require(!labels.has(item.name), `label named twice: ${item.name}`);
        labels.set(item.name, offset);
      }
      offset += sizeOf(item, offset);
    }
    return labels;
  }

  /** The bytes. @throws RangeError for a label that is missing, named twice or out of reach, and for an instruction off its boundary. */
  assemble(): Uint8Array {
    const labels = this.labels();
    const bytes: number[] = [];
    for (const item of this.#items) {
      if (item.kind === 'bytes') bytes.push(...item.bytes);
      else if (item.kind === 'align') while (bytes.length % item.boundary !== 0) bytes.push(0);
      else if (item.kind !== 'label') bytes.push(...u32Bytes(encodeDistance(item, bytes.length, labels)));
    }
    return Uint8Array.from(bytes);
  }

  #word(word: number): this {
    this.#items.push({ kind: 'bytes', bytes: u32Bytes(word) });
    return this;
  }
  #branch(word: number, label: string, bits: 14 | 19 | 26): this {
    this.#items.push({ kind: 'branch', word, label, bits });
    return this;
  }
  /** Registers at bits 0, 5 and 16; the width by the target. */
  #three(word: number, target: RegisterA64, left: RegisterA64, right: RegisterA64): this {
    const width = isWide(target) ? 0x8000_0000 : 0;
    return this.#word(word | width | numberOf(target) | (numberOf(left) << 5) | (numberOf(right) << 16));
  }
  #immediate12(word: number, target: RegisterA64, left: RegisterA64, value: number): this {
    const isShifted = value > 0xfff && value % 0x1000 === 0;
    const field = isShifted ? value / 0x1000 : value;
    require(Number.isInteger(field) && field >= 0 && field <= 0xfff, `not an immediate of 12 bits: ${value}`);
    const width = isWide(left) ? 0x8000_0000 : 0;
    return this.#word(
      word | width | (isShifted ? 1 << 22 : 0) | (field << 10) | (numberOf(left) << 5) | numberOf(target),
    );
  }
  #access(word: number, register: RegisterA64, { base, displacement }: MemoryA64, size: number): this {
    const field = displacement / size;
    require(Number.isInteger(field) && field >= 0 && field <= 0xfff, `not a displacement of ${size}: ${displacement}`);
    return this.#word(word | (field << 10) | (numberOf(base) << 5) | numberOf(register));
  }
  #post(word: number, register: RegisterA64, base: RegisterA64, step: number): this {
    require(step >= -256 && step <= 255, `not a step of 9 bits: ${step}`);
    return this.#word(word | ((step & 0x1ff) << 12) | (numberOf(base) << 5) | numberOf(register));
  }
  /** movz or movn, whichever leaves fewer halves, and a movk for each other half. */
  #movImmediate(target: RegisterA64, value: number | bigint): this {
    const width = isWide(target) ? 64 : 32;
    const bits = BigInt.asUintN(width, BigInt(value));
    require(BigInt(value) === bits ||
      BigInt(value) === BigInt.asIntN(width, bits), `not a number of ${width} bits: ${value}`);
    const halves = Array.from({ length: width / 16 }, (_, index) => Number((bits >> BigInt(16 * index)) & 0xffffn));
    const isNegative = halves.filter((half) => half === 0xffff).length > halves.filter((half) => half === 0).length;
    const base = width === 64 ? 0x8000_0000 : 0;
    const put = (opcode: number, index: number, half: number): this =>
      this.#word(base | opcode | (index << 21) | (half << 5) | numberOf(target));
    const rest = halves.flatMap((half, index) => (half === (isNegative ? 0xffff : 0) ? [] : [index]));
    const first = rest[0] ?? 0;
    if (isNegative) put(0x1280_0000, first, ~(halves[first] as number) & 0xffff);
    else put(0x5280_0000, first, halves[first] as number);
    for (const index of rest.slice(1)) put(0x7280_0000, index, halves[index] as number);
    return this;
  }
}

function sizeOf(item: Item, offset: number): number {
  if (item.kind === 'bytes') return item.bytes.length;
  if (item.kind === 'align') return (item.boundary - (offset % item.boundary)) % item.boundary;
  return item.kind === 'label' ? 0 : 4;
}

function encodeDistance(
  item: Item & { kind: 'branch' | 'adr' },
  offset: number,
  labels: ReadonlyMap<string, number>,
): number {
  const place = labels.get(item.label);
  if (place === undefined) throw new RangeError(`label missing: ${item.label}`);
  require(offset % 4 === 0, `an instruction off its boundary, at ${offset}`);
  if (item.kind === 'adr') {
    const distance = place + item.addend - offset;
    require(distance >= -(2 ** 20) && distance < 2 ** 20, `out of reach: ${item.label}`);
    return item.word | ((distance & 3) << 29) | (((distance >> 2) & 0x7_ffff) << 5);
  }
  const distance = (place - offset) / 4;
  const limit = 2 ** (item.bits - 1);
  require(Number.isInteger(distance) && distance >= -limit && distance < limit, `out of reach: ${item.label}`);
  const field = distance & (2 ** item.bits - 1);
  return item.word | (item.bits === 26 ? field : field << 5);
}
