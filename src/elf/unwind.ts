import { unlessDamaged } from './bytes.ts';
import type { FrameRow, RegisterRule } from './call-frame.ts';
import { DwarfCursor } from './dwarf.ts';

/** From a frame to its caller's, by a row of .eh_frame and the memory of the process. Nothing is guessed: what is not known is not there. */

/** Values by DWARF's numbers of x86-64 registers; those that are not known are absent. */
export type Registers = ReadonlyMap<number, bigint>;

/** A word of the process's memory; undefined where it cannot be read. */
export type ReadWord = (address: bigint) => bigint | undefined;

export const RSP = 7;
/** The column of the return address. */
export const RIP = 16;
/** rbx, rbp, r12 to r15: callees give them back (psABI of x86-64, 3.2.1). */
const PRESERVED: readonly number[] = [3, 6, 12, 13, 14, 15];

/**
 * The registers of the caller at the place to return to.
 *
 * @returns undefined where the stack ends, or needs a register that no inner frame saved
 */
export function callerRegisters(row: FrameRow, registers: Registers, read: ReadWord): Registers | undefined {
  const { cfa: rule, rules } = row;
  const base = 'register' in rule ? registers.get(rule.register) : undefined;
  const cfa =
    'register' in rule
      ? base === undefined
        ? undefined
        : wrap(base + BigInt(rule.offset))
      : evaluate(rule.expression, registers, read, []);
  if (cfa === undefined) return undefined;
  const result = new Map<number, bigint>();
  const keep = (register: number, value: bigint | undefined): void => {
    if (value !== undefined) result.set(register, value);
  };
  for (const register of PRESERVED) keep(register, registers.get(register));
  keep(RSP, cfa);
  for (const [register, saved] of rules) {
    result.delete(register);
    keep(register, valueBy(saved, register, cfa, registers, read));
  }
  const to = result.get(row.returnRegister);
  if (to === undefined || to === 0n || !result.has(RSP)) return undefined;
  return result.set(RIP, to);
}

function valueBy(
  rule: RegisterRule,
  register: number,
  cfa: bigint,
  registers: Registers,
  read: ReadWord,
): bigint | undefined {
  if (rule.kind === 'same') return registers.get(register);
  if (rule.kind === 'saved') return read(wrap(cfa + BigInt(rule.offset)));
  if (rule.kind === 'is') return wrap(cfa + BigInt(rule.offset));
  if (rule.kind === 'register') return registers.get(rule.register);
  if (rule.kind === 'undefined') return undefined;
  const value = evaluate(rule.expression, registers, read, [cfa]);
  return rule.kind === 'is-by-expression' || value === undefined ? value : read(value);
}

/**
 * Evaluates the operations that C libraries and linkers use for signal frames and procedure linkage tables (DWARF 5, 2.5 and 7.7.1).
 * @returns undefined for any other
 */
function evaluate(expression: Uint8Array, registers: Registers, read: ReadWord, start: bigint[]): bigint | undefined {
  const cursor = new DwarfCursor(expression, 0, 0);
  const stack = [...start];
  while (cursor.offset < expression.length) {
    const value = unlessDamaged(() => operate(cursor, stack, registers, read));
    if (value === undefined) return undefined;
    stack.push(wrap(value));
  }
  return stack.at(-1);
}

function operate(cursor: DwarfCursor, stack: bigint[], registers: Registers, read: ReadWord): bigint | undefined {
  const opcode = cursor.unsigned(1);
  if (opcode >= 0x30 && opcode <= 0x4f) return BigInt(opcode - 0x30);
  if (opcode >= 0x70 && opcode <= 0x8f) {
    const base = registers.get(opcode - 0x70);
    const offset = BigInt(cursor.sleb());
    return base === undefined ? undefined : base + offset;
  }
  const right = stack.pop();
  if (right === undefined) return undefined;
  if (opcode === 0x06) return read(right);
  if (opcode === 0x23) return right + BigInt(cursor.uleb());
  const left = stack.pop();
  if (left === undefined) return undefined;
  if (opcode === 0x1a) return left & right;
  if (opcode === 0x1c) return left - right;
  if (opcode === 0x22) return left + right;
  if (opcode === 0x24) return right < 64n ? left << right : 0n;
  if (opcode === 0x2a) return BigInt.asIntN(64, left) >= BigInt.asIntN(64, right) ? 1n : 0n;
  return undefined;
}

function wrap(value: bigint): bigint {
  return BigInt.asUintN(64, value);
}
