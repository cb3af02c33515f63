/**
 * A small assembler for x86-64: what the launcher and the seal stub are written in. Position-independent: labels are always
 * reached relative to the instruction pointer. Encodings: Intel SDM volume 2.
 *
 *     const code = new Assembler().endbr64().xor('edi', 'edi').mov('eax', 231).syscall().assemble();
 */
import { isRegister, type Register, type Register8, type Register64, registerFacts } from './registers-x86-64.ts';

/** Memory at a register plus a displacement. */
export interface Memory {
  readonly base: Register64;
  readonly displacement: number;
}

/** [base + displacement] as an operand. */
export function at(base: Register64, displacement = 0): Memory {
  return { base, displacement };
}

const CONDITIONS = {
  o: 0x0,
  no: 0x1,
  b: 0x2,
  ae: 0x3,
  e: 0x4,
  ne: 0x5,
  be: 0x6,
  a: 0x7,
  s: 0x8,
  ns: 0x9,
  l: 0xc,
  ge: 0xd,
  le: 0xe,
  g: 0xf,
} as const;
/** Conditions of jcc: `b ae be a` compare unsigned, `l ge le g` signed, `e ne s ns o no` as named. */
export type ConditionCode = keyof typeof CONDITIONS;

// The /digit of opcodes 81 and 83; the register form's opcode is digit * 8 + 1.
const ARITHMETIC = { add: 0, or: 1, and: 4, sub: 5, xor: 6, cmp: 7 } as const;

/** A stretch of bytes, a jump whose length is still open, or an alignment. */
type Item =
  | { readonly kind: 'bytes'; readonly bytes: number[] }
  | { readonly kind: 'jump'; readonly label: string; readonly condition: ConditionCode | undefined; long: boolean }
  | { readonly kind: 'align'; readonly boundary: number; readonly fill: number }
  | { readonly kind: 'label'; readonly name: string }
  /** Four bytes: label minus `from` (a label), or minus the end of these four bytes; plus `addend`. */
  | { readonly kind: 'relative'; readonly label: string; readonly from: string | undefined; readonly addend: number };

const u32Bytes = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);
const fitsI8 = (value: number): boolean => value >= -0x80 && value <= 0x7f;
const fitsI32 = (value: number): boolean => value >= -0x8000_0000 && value <= 0x7fff_ffff;

function u64Bytes(value: bigint): number[] {
  return [...u32Bytes(Number(value & 0xffff_ffffn)), ...u32Bytes(Number((value >> 32n) & 0xffff_ffffn))];
}

/** An immediate of 32 bits that the machine sign-extends to 64. @throws RangeError when it does not fit. */
function signed32(value: number, width: number): number[] {
  const wrapped = width === 32 && value > 0x7fff_ffff && value <= 0xffff_ffff ? value - 0x1_0000_0000 : value;
  if (!Number.isInteger(wrapped) || !fitsI32(wrapped)) throw new RangeError(`not a 32-bit immediate: ${value}`);
  return u32Bytes(wrapped);
}

/** Collects instructions and data; `assemble` gives the bytes. Methods return the assembler. */
export class Assembler {
  readonly #items: Item[] = [];

  /** Names this place. @throws RangeError in `assemble` when a name is given twice. */
  label(name: string): this {
    this.#items.push({ kind: 'label', name });
    return this;
  }

  /** Raw bytes. */
  bytes(...bytes: readonly number[]): this {
    return this.#emit([...bytes]);
  }

  /** Raw bytes from an array. */
  data(bytes: Uint8Array): this {
    return this.#emit([...bytes]);
  }

  /** UTF-8 text without a final zero byte. */
  text(text: string): this {
    return this.data(new TextEncoder().encode(text));
  }

  u32(value: number): this {
    return this.#emit(u32Bytes(value));
  }

  u64(value: bigint): this {
    return this.#emit(u64Bytes(value));
  }

  /** Four bytes of data: the distance of `label` from the label `from`. */
  offset32(label: string, from: string): this {
    this.#items.push({ kind: 'relative', label, from, addend: 0 });
    return this;
  }

  /** Fills up to a multiple of `boundary` bytes from the start. */
  align(boundary: number, fill = 0): this {
    this.#items.push({ kind: 'align', boundary, fill });
    return this;
  }

  /**
   * mov register, register | immediate | [memory], and mov [memory], register. A number is zero-extended into a 32-bit register and
   * sign-extended into a 64-bit one; a bigint is 64 bits whole.
   */
  mov(target: Register | Memory, source: Register | Memory | number | bigint): this {
    if (!isRegister(target)) {
      if (isRegister(source)) return this.#modrm([0x89], source, target);
      if (typeof source !== 'number') throw new RangeError('mov to memory takes a register or a number of 32 bits');
      return this.#modrmDigit([0xc7], 0, 64, target).#emit(signed32(source, 64));
    }
    if (isRegister(source)) return this.#modrm([0x89], source, target);
    if (typeof source === 'object') return this.#modrm([0x8b], target, source);
    return this.#movImmediate(target, source);
  }

  /** mov dword [memory], immediate. */
  mov32(target: Memory, value: number): this {
    return this.#modrmDigit([0xc7], 0, 32, target).#emit(signed32(value, 32));
  }

  /** mov byte [memory], register | immediate. */
  movByte(target: Memory, source: Register8 | number): this {
    if (typeof source === 'number') return this.#modrmDigit([0xc6], 0, 32, target).#emit([source & 0xff]);
    return this.#modrm([0x88], source, target);
  }

  /** mov word [memory], immediate of 16 bits. */
  mov16(target: Memory, value: number): this {
    this.#emit([0x66]);
    return this.#modrmDigit([0xc7], 0, 32, target).#emit([value & 0xff, (value >>> 8) & 0xff]);
  }

  /** movzx register, byte [memory] | byte register. */
  movzxByte(target: Register, source: Memory | Register8): this {
    return this.#modrm([0x0f, 0xb6], target, source);
  }

  /** movsxd register, dword [memory] | register: sign-extends 32 bits to 64. */
  movsxd(target: Register64, source: Memory | Register): this {
    return this.#modrm([0x63], target, source);
  }

  /** lea register, [memory] or the address of a label (plus `addend`). */
  lea(target: Register64, source: Memory | string, addend = 0): this {
    if (typeof source !== 'string') return this.#modrm([0x8d], target, source);
    const { number } = registerFacts(target);
    this.#emit([0x48 | (number > 7 ? 4 : 0), 0x8d, 0x05 | ((number & 7) << 3)]);
    return this.#relative(source, addend);
  }

  add(target: Register | Memory, source: Register | number): this {
    return this.#arithmetic('add', target, source);
  }
  or(target: Register | Memory, source: Register | number): this {
    return this.#arithmetic('or', target, source);
  }
  and(target: Register | Memory, source: Register | number): this {
    return this.#arithmetic('and', target, source);
  }
  sub(target: Register | Memory, source: Register | number): this {
    return this.#arithmetic('sub', target, source);
  }
  xor(target: Register | Memory, source: Register | number): this {
    return this.#arithmetic('xor', target, source);
  }
  /** cmp register | [memory] (64 bits), register | immediate. */
  cmp(target: Register | Memory, source: Register | number): this {
    return this.#arithmetic('cmp', target, source);
  }
  /** cmp dword [memory], immediate. */
  cmp32(target: Memory, value: number): this {
    return this.#arithmeticImmediate(ARITHMETIC.cmp, 32, target, value);
  }
  /** cmp byte [memory], immediate. */
  cmpByte(target: Memory, value: number): this {
    return this.#modrmDigit([0x80], ARITHMETIC.cmp, 32, target).#emit([value & 0xff]);
  }
  /** test register, register | immediate. */
  test(target: Register, source: Register | number): this {
    if (typeof source !== 'number') return this.#modrm([0x85], source, target);
    const { width } = registerFacts(target);
    return this.#modrmDigit([0xf7], 0, width, target).#emit(signed32(source, width));
  }
  inc(target: Register): this {
    return this.#modrmDigit([0xff], 0, registerFacts(target).width, target);
  }
  dec(target: Register): this {
    return this.#modrmDigit([0xff], 1, registerFacts(target).width, target);
  }
  neg(target: Register): this {
    return this.#modrmDigit([0xf7], 3, registerFacts(target).width, target);
  }
  /** Unsigned: rdx:rax (or edx:eax) divided by the register; quotient in rax, remainder in rdx. */
  div(divisor: Register): this {
    return this.#modrmDigit([0xf7], 6, registerFacts(divisor).width, divisor);
  }
  shl(target: Register, bits: number): this {
    return this.#modrmDigit([0xc1], 4, registerFacts(target).width, target).#emit([bits & 0x3f]);
  }
  shr(target: Register, bits: number): this {
    return this.#modrmDigit([0xc1], 5, registerFacts(target).width, target).#emit([bits & 0x3f]);
  }
  /** imul target, source, or imul target, source, immediate. */
  imul(target: Register, source: Register | Memory, immediate?: number): this {
    if (immediate === undefined) return this.#modrm([0x0f, 0xaf], target, source);
    return this.#modrm([0x69], target, source).#emit(signed32(immediate, registerFacts(target).width));
  }

  push(source: Register64 | number): this {
    if (typeof source !== 'number') return this.#short(0x50, source);
    return fitsI8(source) ? this.#emit([0x6a, source & 0xff]) : this.#emit([0x68, ...signed32(source, 64)]);
  }
  pop(target: Register64): this {
    return this.#short(0x58, target);
  }

  /** jmp to a label, by the shortest form, or to the address in a register. */
  jmp(target: string): this {
    if (isRegister(target)) return this.#modrmDigit([0xff], 4, 32, target);
    return this.#jump(target, undefined);
  }
  /** jcc to a label, by the shortest form. */
  jcc(condition: ConditionCode, label: string): this {
    return this.#jump(label, condition);
  }
  /** call a label, or the address in a register. */
  call(target: string): this {
    if (isRegister(target)) return this.#modrmDigit([0xff], 2, 32, target);
    return this.#emit([0xe8]).#relative(target, 0);
  }
  /** jmp to a place `distance` bytes behind the start of this code (may be negative): always 5 bytes. */
  jmpFromStart(distance: number): this {
    return this.#emit([0xe9]).#relative('', distance);
  }
  ret(): this {
    return this.#emit([0xc3]);
  }

  syscall(): this {
    return this.#emit([0x0f, 0x05]);
  }
  /** int 0x80: the i386 entry of the kernel. */
  int80(): this {
    return this.#emit([0xcd, 0x80]);
  }
  /** Landing place of indirect jumps under IBT. */
  endbr64(): this {
    return this.#emit([0xf3, 0x0f, 0x1e, 0xfa]);
  }
  nop(): this {
    return this.#emit([0x90]);
  }
  /** Faults in user mode. */
  hlt(): this {
    return this.#emit([0xf4]);
  }
  ud2(): this {
    return this.#emit([0x0f, 0x0b]);
  }
  pause(): this {
    return this.#emit([0xf3, 0x90]);
  }
  /** Copies rcx bytes from rsi to rdi. */
  repMovsb(): this {
    return this.#emit([0xf3, 0xa4]);
  }
  cld(): this {
    return this.#emit([0xfc]);
  }

  /** Offset of every label from the start. @throws RangeError as `assemble` does. */
  labels(): ReadonlyMap<string, number> {
    return this.#layOut();
  }

  /** The bytes. @throws RangeError for a label that is missing or named twice. */
  assemble(): Uint8Array {
    const labels = this.#layOut();
    const bytes: number[] = [];
    for (const item of this.#items) {
      if (item.kind === 'bytes') bytes.push(...item.bytes);
      else if (item.kind === 'align') while (bytes.length % item.boundary !== 0) bytes.push(item.fill);
      else if (item.kind === 'jump') bytes.push(...encodeJump(item, bytes.length, labels));
      else if (item.kind === 'relative') bytes.push(...encodeRelative(item, bytes.length, labels));
    }
    return Uint8Array.from(bytes);
  }

  /** Jumps start short and grow until every one reaches its label; growing never makes another one shorter, so this ends. */
  #layOut(): ReadonlyMap<string, number> {
    for (;;) {
      const labels = new Map<string, number>([['', 0]]);
      const places: [Item & { kind: 'jump' }, number][] = [];
      let offset = 0;
      for (const item of this.#items) {
        if (item.kind === 'label') {
          if (labels.has(item.name)) throw new RangeError(`label named twice: ${item.name}`);
          labels.set(item.name, offset);
        }
        offset += itemSize(item, offset);
        if (item.kind === 'jump') places.push([item, offset]);
      }
      const far = places.filter(([jump, end]) => !jump.long && !fitsI8(labelOffset(labels, jump.label) - end));
      if (far.length === 0) return labels;
      for (const [jump] of far) jump.long = true;
    }
  }

  #emit(bytes: number[]): this {
    this.#items.push({ kind: 'bytes', bytes });
    return this;
  }

  #relative(label: string, addend: number): this {
    this.#items.push({ kind: 'relative', label, from: undefined, addend });
    return this;
  }

  #jump(label: string, condition: ConditionCode | undefined): this {
    this.#items.push({ kind: 'jump', label, condition, long: false });
    return this;
  }

  #movImmediate(target: Register, value: number | bigint): this {
    const { number, width } = registerFacts(target);
    const rexB = number > 7 ? 1 : 0;
    if (width === 32) {
      if (typeof value === 'bigint') throw new RangeError('a 32-bit register takes a number');
      return this.#emit([...(rexB ? [0x41] : []), 0xb8 | (number & 7), ...signed32(value, 32)]);
    }
    if (typeof value === 'bigint') return this.#emit([0x48 | rexB, 0xb8 | (number & 7), ...u64Bytes(value)]);
    return this.#modrmDigit([0xc7], 0, 64, target).#emit(signed32(value, 64));
  }

  #arithmetic(name: keyof typeof ARITHMETIC, target: Register | Memory, source: Register | number): this {
    const digit = ARITHMETIC[name];
    if (typeof source !== 'number') return this.#modrm([digit * 8 + 1], source, target);
    return this.#arithmeticImmediate(digit, isRegister(target) ? registerFacts(target).width : 64, target, source);
  }

  #arithmeticImmediate(digit: number, width: number, target: Register | Memory, value: number): this {
    if (fitsI8(value)) return this.#modrmDigit([0x83], digit, width, target).#emit([value & 0xff]);
    return this.#modrmDigit([0x81], digit, width, target).#emit(signed32(value, width));
  }

  /** Opcodes that hold their register in their low three bits; 64 bits without REX.W. */
  #short(opcode: number, register: Register64): this {
    const { number } = registerFacts(register);
    return this.#emit([...(number > 7 ? [0x41] : []), opcode | (number & 7)]);
  }

  /** An opcode with a register in ModRM.reg; its width is the operand's width. */
  #modrm(opcode: number[], register: Register | Register8, operand: Register | Register8 | Memory): this {
    const { number, width } = registerFacts(register);
    const bytes = typeof operand === 'object' ? 32 : registerFacts(operand).width;
    // spl, bpl, sil and dil need a REX prefix; without one these numbers mean ah, ch, dh and bh.
    const needsRex = (width === 8 && number > 3) || (bytes === 8 && registerFacts(operand as Register8).number > 3);
    return this.#emit(encodeModrm(opcode, number, width === 64, operand, needsRex));
  }

  /** An opcode whose ModRM.reg is a digit that belongs to it. */
  #modrmDigit(opcode: number[], digit: number, width: number, operand: Register | Memory): this {
    return this.#emit(encodeModrm(opcode, digit, width === 64, operand, false));
  }
}

/** REX prefix if needed, opcode, ModRM, SIB and displacement. */
function encodeModrm(
  opcode: readonly number[],
  register: number,
  wide: boolean,
  operand: Register | Register8 | Memory,
  needsRex: boolean,
): number[] {
  const memory = typeof operand === 'object' ? operand : undefined;
  const number = registerFacts(memory ? memory.base : (operand as Register)).number;
  const rex = 0x40 | (wide ? 8 : 0) | (register > 7 ? 4 : 0) | (number > 7 ? 1 : 0);
  const prefix = rex !== 0x40 || needsRex ? [rex] : [];
  const fields = ((register & 7) << 3) | (number & 7);
  if (memory === undefined) return [...prefix, ...opcode, 0xc0 | fields];
  const { displacement } = memory;
  // ModRM.rm 4 (rsp, r12) announces a SIB byte; mod 0 with rm 5 (rbp, r13) would mean rip-relative.
  const sib = (number & 7) === 4 ? [0x24] : [];
  if (displacement === 0 && (number & 7) !== 5) return [...prefix, ...opcode, fields, ...sib];
  if (fitsI8(displacement)) return [...prefix, ...opcode, 0x40 | fields, ...sib, displacement & 0xff];
  return [...prefix, ...opcode, 0x80 | fields, ...sib, ...signed32(displacement, 64)];
}

function itemSize(item: Item, offset: number): number {
  if (item.kind === 'bytes') return item.bytes.length;
  if (item.kind === 'align') return (item.boundary - (offset % item.boundary)) % item.boundary;
  if (item.kind === 'relative') return 4;
  if (item.kind === 'jump') return item.long ? (item.condition === undefined ? 5 : 6) : 2;
  return 0;
}

function labelOffset(labels: ReadonlyMap<string, number>, name: string): number {
  const offset = labels.get(name);
  if (offset === undefined) throw new RangeError(`label missing: ${name}`);
  return offset;
}

function encodeJump(item: Item & { kind: 'jump' }, offset: number, labels: ReadonlyMap<string, number>): number[] {
  const distance = labelOffset(labels, item.label) - offset - itemSize(item, offset);
  const code = item.condition === undefined ? undefined : CONDITIONS[item.condition];
  if (!item.long) return [code === undefined ? 0xeb : 0x70 | code, distance & 0xff];
  return [...(code === undefined ? [0xe9] : [0x0f, 0x80 | code]), ...u32Bytes(distance)];
}

function encodeRelative(
  item: Item & { kind: 'relative' },
  offset: number,
  labels: ReadonlyMap<string, number>,
): number[] {
  const origin = item.from === undefined ? offset + 4 : labelOffset(labels, item.from);
  return signed32(labelOffset(labels, item.label) - origin + item.addend, 64);
}
