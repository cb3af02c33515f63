import assert from 'node:assert/strict';
import test from 'node:test';
import { checkProgram } from '../../src/bpf/check.ts';
import type { Instruction } from '../../src/bpf/instruction.ts';
import { interpret } from '../../src/bpf/interpret.ts';
import * as op from '../../src/bpf/opcode.ts';

const instruction = (code: number, k = 0, jt = 0, jf = 0): Instruction => ({ code, jt, jf, k });
const load = (k: number): Instruction => instruction(op.BPF_LD | op.BPF_ABS, k);
const imm = (k: number): Instruction => instruction(op.BPF_LD, k);
const immX = (k: number): Instruction => instruction(op.BPF_LDX, k);
const alu = (operation: number, k = 0): Instruction => instruction(op.BPF_ALU | operation, k);
const retA = instruction(op.BPF_RET | op.BPF_A);

const DATA = {
  nr: 0x11,
  arch: 0xc000_003e,
  instructionPointer: 0x2222_2222_3333_3333n,
  args: [0x4444_4444_5555_5555n, 1n, 2n, 3n, 4n, 0xffff_ffff_0000_0000n],
};

const rows: readonly (readonly [string, readonly Instruction[], number])[] = [
  ['nr', [load(0)], 0x11],
  ['arch is unsigned', [load(4)], 0xc000_003e],
  ['low word of ip', [load(8)], 0x3333_3333],
  ['high word of ip', [load(12)], 0x2222_2222],
  ['low word of args[0]', [load(16)], 0x5555_5555],
  ['high word of args[5]', [load(60)], 0xffff_ffff],
  ['LEN is the size of the data', [instruction(op.BPF_LD | op.BPF_LEN)], 64],
  ['ADD wraps', [imm(0xffff_ffff), alu(op.BPF_ADD, 2)], 1],
  ['SUB wraps', [imm(1), alu(op.BPF_SUB, 2)], 0xffff_ffff],
  ['MUL keeps the low 32 bits', [imm(0xffff_ffff), alu(op.BPF_MUL, 0xffff_ffff)], 1],
  ['DIV is unsigned', [imm(0xffff_fffe), alu(op.BPF_DIV, 2)], 0x7fff_ffff],
  ['division by X = 0 returns 0', [imm(1), immX(0), alu(op.BPF_DIV | op.BPF_X)], 0],
  ['shifts by X use 5 bits', [imm(1), immX(33), alu(op.BPF_LSH | op.BPF_X)], 2],
  ['RSH is logical', [imm(0x8000_0000), alu(op.BPF_RSH, 31)], 1],
  ['NEG', [imm(1), alu(op.BPF_NEG)], 0xffff_ffff],
  ['OR, AND, XOR', [imm(0xf0), alu(op.BPF_OR, 0x0f), alu(op.BPF_AND, 0x3c), alu(op.BPF_XOR, 0xff)], 0xc3],
  ['TAX and TXA', [imm(7), instruction(op.BPF_MISC | op.BPF_TAX), imm(0), instruction(op.BPF_MISC | op.BPF_TXA)], 7],
  ['scratch memory', [imm(9), instruction(op.BPF_ST, 3), imm(0), instruction(op.BPF_LD | op.BPF_MEM, 3)], 9],
  ['JGT is unsigned', [imm(0x8000_0000), instruction(op.BPF_JMP | op.BPF_JGT, 1, 0, 1), imm(5), imm(6), retA], 6],
  ['JGE at equality', [imm(4), instruction(op.BPF_JMP | op.BPF_JGE, 4, 0, 1), retA, imm(6)], 4],
  ['JSET', [imm(4), instruction(op.BPF_JMP | op.BPF_JSET, 3, 0, 1), retA, imm(6)], 6],
  ['JEQ X', [imm(4), immX(4), instruction(op.BPF_JMP | op.BPF_JEQ | op.BPF_X, 0, 0, 1), retA, imm(6)], 4],
];

for (const [claim, body, action] of rows)
  test(`interpret(): ${claim}`, () => {
    const program = [...body, retA];
    checkProgram(program);
    assert.equal(interpret(program, DATA).action, action);
  });
