// Source: kernel/seccomp.c seccomp_check_filter, net/core/filter.c bpf_check_classic (v6.18). Every row is also asked of this kernel.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import test from 'node:test';
import { checkProgram } from '../../src/bpf/check.ts';
import { encodeProgram } from '../../src/bpf/codec.ts';
import type { Instruction, Program } from '../../src/bpf/instruction.ts';
import * as op from '../../src/bpf/opcode.ts';
import { missingTools } from '../support/tools.ts';

const LD = op.BPF_LD | op.BPF_W | op.BPF_ABS;
const JEQ = op.BPF_JMP | op.BPF_JEQ;
const instruction = (code: number, k = 0, jt = 0, jf = 0): Instruction => ({ code, jt, jf, k });
const ret = instruction(op.BPF_RET, 0x7fff_0000);
const alu = (operation: number, k = 0): Instruction => instruction(op.BPF_ALU | operation, k);

interface Row {
  readonly claim: string;
  readonly program: Program;
  /** Absent: accepted. */
  readonly code?: string;
  readonly pc?: number;
}

const rows: readonly Row[] = [
  { claim: 'a return alone', program: [ret] },
  { claim: 'no instruction', program: [], code: 'bad_length' },
  { claim: '4096 instructions', program: new Array(4096).fill(ret) },
  { claim: '4097 instructions', program: new Array(4097).fill(ret), code: 'bad_length' },
  { claim: 'the last instruction must return', program: [instruction(LD)], code: 'no_return', pc: 0 },
  { claim: 'loads of the last word', program: [instruction(LD, 60), ret] },
  { claim: 'loads behind the data', program: [instruction(LD, 64), ret], code: 'bad_load', pc: 0 },
  { claim: 'loads that are not aligned', program: [instruction(LD, 2), ret], code: 'bad_load', pc: 0 },
  { claim: 'half-word loads', program: [instruction(LD | 0x08), ret], code: 'bad_code', pc: 0 },
  { claim: 'byte loads', program: [instruction(LD | 0x10), ret], code: 'bad_code', pc: 0 },
  { claim: 'indirect loads', program: [instruction(0x40), ret], code: 'bad_code', pc: 0 },
  { claim: 'MSH loads', program: [instruction(0xb1), ret], code: 'bad_code', pc: 0 },
  { claim: 'LDX of the data', program: [instruction(op.BPF_LDX | op.BPF_ABS), ret], code: 'bad_code', pc: 0 },
  { claim: 'LD LEN', program: [instruction(op.BPF_LD | op.BPF_LEN), ret] },
  { claim: 'LDX LEN', program: [instruction(op.BPF_LDX | op.BPF_LEN), ret] },
  { claim: 'LD IMM', program: [instruction(op.BPF_LD, 7), ret] },
  { claim: 'a jump to the last instruction', program: [instruction(JEQ, 0, 1, 0), ret, ret] },
  { claim: 'a jump over the end', program: [instruction(JEQ, 0, 2, 0), ret, ret], code: 'bad_jump', pc: 0 },
  { claim: 'jf over the end', program: [instruction(JEQ, 0, 0, 2), ret, ret], code: 'bad_jump', pc: 0 },
  { claim: 'ja over the end', program: [instruction(op.BPF_JMP, 1), ret], code: 'bad_jump', pc: 0 },
  { claim: 'ja backwards', program: [ret, instruction(op.BPF_JMP, 0xffff_fffe), ret], code: 'bad_jump', pc: 1 },
  { claim: 'ja', program: [instruction(op.BPF_JMP, 1), ret, ret] },
  { claim: 'division by the constant 0', program: [alu(op.BPF_DIV), ret], code: 'division_by_zero', pc: 0 },
  { claim: 'division by 3', program: [alu(op.BPF_DIV, 3), ret] },
  { claim: 'division by X', program: [alu(op.BPF_DIV | op.BPF_X), ret] },
  { claim: 'MOD', program: [alu(op.BPF_MOD, 3), ret], code: 'bad_code', pc: 0 },
  { claim: 'a shift by 31', program: [alu(op.BPF_LSH, 31), ret] },
  { claim: 'a left shift by 32', program: [alu(op.BPF_LSH, 32), ret], code: 'bad_shift', pc: 0 },
  { claim: 'a right shift by 32', program: [alu(op.BPF_RSH, 32), ret], code: 'bad_shift', pc: 0 },
  { claim: 'a shift by X', program: [alu(op.BPF_LSH | op.BPF_X), ret] },
  { claim: 'XOR X', program: [alu(op.BPF_XOR | op.BPF_X), ret] },
  { claim: 'NEG', program: [alu(op.BPF_NEG), ret] },
  { claim: 'RET A', program: [instruction(op.BPF_RET | op.BPF_A)] },
  { claim: 'RET X', program: [instruction(op.BPF_RET | op.BPF_X)], code: 'bad_code', pc: 0 },
  {
    claim: 'a load of M[15] after its store',
    program: [instruction(op.BPF_ST, 15), instruction(op.BPF_LD | op.BPF_MEM, 15), ret],
  },
  {
    claim: 'a load before its store',
    program: [instruction(op.BPF_LD | op.BPF_MEM, 1), ret],
    code: 'unset_scratch',
    pc: 0,
  },
  { claim: 'a store to M[16]', program: [instruction(op.BPF_ST, 16), ret], code: 'bad_scratch', pc: 0 },
  {
    claim: 'a store on one of two ways',
    program: [instruction(JEQ, 0, 0, 1), instruction(op.BPF_ST, 2), instruction(op.BPF_LD | op.BPF_MEM, 2), ret],
    code: 'unset_scratch',
    pc: 2,
  },
  {
    claim: 'a store on both ways',
    program: [
      instruction(JEQ, 0, 0, 2),
      instruction(op.BPF_ST, 2),
      instruction(op.BPF_JMP, 1),
      instruction(op.BPF_STX, 2),
      instruction(op.BPF_LDX | op.BPF_MEM, 2),
      ret,
    ],
  },
  { claim: 'a code that does not exist', program: [instruction(0xffff), ret], code: 'bad_code', pc: 0 },
];

for (const { claim, program, code, pc } of rows)
  test(`checkProgram(): ${claim}`, () => {
    if (code === undefined) checkProgram(program);
    else assert.throws(() => checkProgram(program), { name: 'ProgramError', code, pc });
  });

/** Loads the program of standard input and prints 0 or the errno. */
const LOADER = `
import ctypes, struct, sys
code = sys.stdin.buffer.read()
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl(38, 1, 0, 0, 0)
memory = ctypes.create_string_buffer(code, len(code) + 8)
fprog = ctypes.create_string_buffer(struct.pack('HxxxxxxQ', len(code) // 8 & 0xffff, ctypes.addressof(memory)))
print(ctypes.get_errno() if libc.syscall(317, 1, 0, fprog) else 0, flush=True)
`;

test('the kernel agrees with checkProgram() on every row', {
  skip: missingTools('python3'),
}, () => {
  for (const { claim, program, code } of rows) {
    const { stdout, signal } = spawnSync('python3', ['-c', LOADER], {
      input: encodeProgram(program),
      encoding: 'utf8',
    });
    // A program that returns something else than allow kills its loader: then it was accepted.
    assert.equal(signal === null ? stdout.trim() : '0', code === undefined ? '0' : '22', claim);
  }
});
