import { ProgramError } from '../base/errors.ts';

/** Assembles eBPF: instructions of 8 bytes (include/uapi/linux/bpf.h, Documentation/bpf/standardization/instruction-set.rst), with labels. */

/** r0: results; r1 to r5: arguments, lost at a call; r6 to r9: kept; r10: the end of the stack of 512 bytes, read-only. */
export type Register = 'r0' | 'r1' | 'r2' | 'r3' | 'r4' | 'r5' | 'r6' | 'r7' | 'r8' | 'r9' | 'r10';

/** Widths of loads and stores, in bits. */
export type Width = 8 | 16 | 32 | 64;

const SIZES: { readonly [K in Width]: number } = { 8: 0x10, 16: 0x08, 32: 0x00, 64: 0x18 };
const ALU = {
  add: 0x00,
  sub: 0x10,
  mul: 0x20,
  or: 0x40,
  and: 0x50,
  lsh: 0x60,
  rsh: 0x70,
  neg: 0x80,
  mov: 0xb0,
} as const;
const JUMPS = { ja: 0x00, eq: 0x10, gt: 0x20, set: 0x40, ne: 0x50, sgt: 0x60, sge: 0x70, lt: 0xa0, sle: 0xd0 } as const;

const LDX_MEM = 0x61;
const ST_MEM = 0x62;
const STX_MEM = 0x63;
const ATOMIC_64 = 0xdb;
const LD_IMM64 = 0x18;
const ALU64 = 0x07;
const JMP = 0x05;
const SOURCE_REGISTER = 0x08;
const CALL = 0x85;
const EXIT = 0x95;
const PSEUDO_MAP_FD = 1;
const PSEUDO_MAP_VALUE = 2;

const ATOMIC = { add: 0x00, or: 0x40, fetchAdd: 0x01, compareExchange: 0xf1 } as const;
/**
 * What an atomic operation does to 64 bits of memory. `fetchAdd` leaves the old value in the source register; `compareExchange` stores the source where the memory
 * equals r0, and leaves the old value in r0.
 */
export type AtomicOperation = keyof typeof ATOMIC;

interface Instruction {
  readonly code: number;
  readonly destination: number;
  readonly source: number;
  offset: number;
  readonly immediate: number;
}

const numberOf = (register: Register): number => Number(register.slice(1));

/** Emits one program. Every method appends one instruction, but `loadMap`, `loadValue` and `loadImmediate64`, which are two. */
export class EbpfAssembler {
  readonly #instructions: Instruction[] = [];
  readonly #labels = new Map<string, number>();
  readonly #jumps: { readonly index: number; readonly label: string }[] = [];

  /** 64-bit arithmetic; an immediate is sign-extended from 32 bits. */
  alu(operation: keyof typeof ALU, destination: Register, value: Register | number = 0): this {
    const isRegister = typeof value === 'string';
    const code = ALU64 | ALU[operation] | (isRegister ? SOURCE_REGISTER : 0);
    return this.#emit(code, destination, isRegister ? value : 'r0', 0, isRegister ? 0 : value);
  }

  mov(destination: Register, value: Register | number): this {
    return this.alu('mov', destination, value);
  }

  /** destination = *(base + offset), zero-extended. */
  load(width: Width, destination: Register, base: Register, offset: number): this {
    return this.#emit(LDX_MEM | SIZES[width], destination, base, offset, 0);
  }

  /** *(base + offset) = value. */
  store(width: Width, base: Register, offset: number, value: Register | number): this {
    if (typeof value === 'string') return this.#emit(STX_MEM | SIZES[width], base, value, offset, 0);
    return this.#emit(ST_MEM | SIZES[width], base, 'r0', offset, value);
  }

  /** 64 bits at base + offset, in one step (5.12 for all but add). */
  atomic(operation: AtomicOperation, base: Register, offset: number, source: Register): this {
    return this.#emit(ATOMIC_64, base, source, offset, ATOMIC[operation]);
  }

  /** destination = the map of a descriptor of the process that loads the program. */
  loadMap(destination: Register, fd: number): this {
    this.#push(LD_IMM64, numberOf(destination), PSEUDO_MAP_FD, 0, fd);
    return this.#push(0, 0, 0, 0, 0);
  }

  /** destination = address of the value of an array of one element, plus `offset`. */
  loadValue(destination: Register, fd: number, offset = 0): this {
    this.#push(LD_IMM64, numberOf(destination), PSEUDO_MAP_VALUE, 0, fd);
    return this.#push(0, 0, 0, 0, offset);
  }

  /** destination = 64 bits. */
  loadImmediate64(destination: Register, value: bigint): this {
    this.#push(LD_IMM64, numberOf(destination), 0, 0, Number(BigInt.asIntN(32, value)));
    return this.#push(0, 0, 0, 0, Number(BigInt.asIntN(32, value >> 32n)));
  }

  /** Calls a helper by its number (include/uapi/linux/bpf.h, ___BPF_FUNC_MAPPER). */
  call(helper: number): this {
    return this.#push(CALL, 0, 0, 0, helper);
  }

  exit(): this {
    return this.#push(EXIT, 0, 0, 0, 0);
  }

  label(name: string): this {
    if (this.#labels.has(name)) throw new ProgramError('ebpf_label', `Cannot assemble: label "${name}": found twice`);
    this.#labels.set(name, this.#instructions.length);
    return this;
  }

  jump(label: string): this {
    this.#jumps.push({ index: this.#instructions.length, label });
    return this.#push(JMP | JUMPS.ja, 0, 0, 0, 0);
  }

  /** Jumps where a 64-bit comparison holds; an immediate is sign-extended from 32 bits. */
  jumpIf(condition: Exclude<keyof typeof JUMPS, 'ja'>, left: Register, right: Register | number, label: string): this {
    this.#jumps.push({ index: this.#instructions.length, label });
    const isRegister = typeof right === 'string';
    const code = JMP | JUMPS[condition] | (isRegister ? SOURCE_REGISTER : 0);
    return this.#emit(code, left, isRegister ? right : 'r0', 0, isRegister ? 0 : right);
  }

  /** The program. @throws {ProgramError} `ebpf_label` a jump goes nowhere, or further than 16 bits reach */
  assemble(): Uint8Array {
    for (const { index, label } of this.#jumps) {
      const offset = (this.#labels.get(label) ?? Number.NaN) - index - 1;
      const instruction = this.#instructions[index];
      if (instruction === undefined || !(Math.abs(offset) < 0x8000))
        throw new ProgramError('ebpf_label', `Cannot assemble: a jump to "${label}" has no such label in reach`, index);
      instruction.offset = offset;
    }
    const bytes = new Uint8Array(8 * this.#instructions.length);
    const view = new DataView(bytes.buffer);
    for (const [index, { code, destination, source, offset, immediate }] of this.#instructions.entries()) {
      view.setUint8(8 * index, code);
      view.setUint8(8 * index + 1, (source << 4) | destination);
      view.setInt16(8 * index + 2, offset, true);
      view.setInt32(8 * index + 4, immediate, true);
    }
    return bytes;
  }

  #emit(code: number, destination: Register, source: Register, offset: number, immediate: number): this {
    return this.#push(code, numberOf(destination), numberOf(source), offset, immediate);
  }

  #push(code: number, destination: number, source: number, offset: number, immediate: number): this {
    this.#instructions.push({ code, destination, source, offset, immediate });
    return this;
  }
}
