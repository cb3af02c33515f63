import assert from 'node:assert/strict';
import test from 'node:test';
import { constantAllowed, isConstantAllow } from '../../src/bpf/constant-allow.ts';
import type { Instruction, Program } from '../../src/bpf/instruction.ts';
import { interpret } from '../../src/bpf/interpret.ts';
import * as op from '../../src/bpf/opcode.ts';
import { compile } from '../../src/compile/compile.ts';
import { compilePolicy } from '../../src/compile/compile-policy.ts';
import { ARCHES } from '../../src/facts/arches.ts';
import { OFFSET_ARCH, OFFSET_ARGS, OFFSET_NR, SECCOMP_RET_ALLOW, SECCOMP_RET_LOG } from '../../src/facts/seccomp.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { pick, randomPolicy, seeded } from '../support/random-policy.ts';

const X86_64 = ARCHES.x86_64.token;
const I386 = ARCHES.i386.token;
const NR = 0x15;

const instruction = (code: number, k = 0, jt = 0, jf = 0): Instruction => ({ code, jt, jf, k });
const load = (k: number): Instruction => instruction(op.BPF_LD | op.BPF_W | op.BPF_ABS, k);
const jump = (operation: number, k: number, jt: number, jf: number): Instruction =>
  instruction(op.BPF_JMP | operation | op.BPF_K, k, jt, jf);
const ret = (k: number): Instruction => instruction(op.BPF_RET | op.BPF_K, k);
const allow = ret(SECCOMP_RET_ALLOW);
const kill = ret(0);

/** What is before an allow, or a whole program; whether the kernel calls it constant for (AUDIT_ARCH_X86_64, 0x15). */
const vectors: readonly (readonly [string, Program, boolean])[] = [
  ['allow alone', [allow], true],
  ['allow with data', [ret(SECCOMP_RET_ALLOW | 1)], false],
  ['log', [ret(SECCOMP_RET_LOG)], false],
  [
    'a return of A that holds allow',
    [instruction(op.BPF_LD, SECCOMP_RET_ALLOW), instruction(op.BPF_RET | op.BPF_A)],
    false,
  ],
  ['JEQ of the number', [load(OFFSET_NR), jump(op.BPF_JEQ, NR, 1, 0), kill, allow], true],
  ['JEQ of another number', [load(OFFSET_NR), jump(op.BPF_JEQ, NR + 1, 1, 0), kill, allow], false],
  ['JEQ of the arch, unsigned', [load(OFFSET_ARCH), jump(op.BPF_JEQ, X86_64, 1, 0), kill, allow], true],
  ['JGE at equality', [load(OFFSET_NR), jump(op.BPF_JGE, NR, 1, 0), kill, allow], true],
  ['JGT at equality', [load(OFFSET_NR), jump(op.BPF_JGT, NR, 0, 1), kill, allow], true],
  ['JGT is unsigned', [load(OFFSET_ARCH), jump(op.BPF_JGT, 1, 1, 0), kill, allow], true],
  ['JSET of a bit that is set', [load(OFFSET_NR), jump(op.BPF_JSET, 0x10, 1, 0), kill, allow], true],
  ['JSET of the highest bit', [load(OFFSET_ARCH), jump(op.BPF_JSET, 0x8000_0000, 1, 0), kill, allow], true],
  ['JSET of a bit that is clear', [load(OFFSET_NR), jump(op.BPF_JSET, 0x8, 0, 1), kill, allow], true],
  ['JA', [instruction(op.BPF_JMP | op.BPF_JA, 1), kill, allow], true],
  [
    'AND with k',
    [load(OFFSET_NR), instruction(op.BPF_ALU | op.BPF_AND, 0x11), jump(op.BPF_JEQ, 0x11, 1, 0), kill, allow],
    true,
  ],
  [
    'AND keeps 32 bits unsigned',
    [
      load(OFFSET_ARCH),
      instruction(op.BPF_ALU | op.BPF_AND, 0x8000_0000),
      jump(op.BPF_JEQ, 0x8000_0000, 1, 0),
      kill,
      allow,
    ],
    true,
  ],
  ['A is 0 before any load', [jump(op.BPF_JEQ, 0, 1, 0), kill, allow], true],
  ['a load of an argument, even if nothing asks for it', [load(OFFSET_ARGS), allow], false],
  [
    'a load of an argument on another way',
    [load(OFFSET_NR), jump(op.BPF_JEQ, NR, 1, 0), load(OFFSET_ARGS), allow],
    true,
  ],
  ['OR with k', [load(OFFSET_NR), instruction(op.BPF_ALU | op.BPF_OR, 1), allow], false],
  ['AND with X', [instruction(op.BPF_LDX), instruction(op.BPF_ALU | op.BPF_AND | op.BPF_X), allow], false],
  ['JEQ with X', [instruction(op.BPF_LDX), jump(op.BPF_JEQ | op.BPF_X, 0, 0, 0), allow], false],
  ['LD of a constant', [instruction(op.BPF_LD, 5), allow], false],
  ['LD of the length', [instruction(op.BPF_LD | op.BPF_LEN), allow], false],
  ['TAX', [instruction(op.BPF_MISC | op.BPF_TAX), allow], false],
  ['scratch memory', [instruction(op.BPF_ST, 0), allow], false],
];

for (const [claim, program, constant] of vectors)
  test(`isConstantAllow(): ${claim}: ${constant ? 'yes' : 'no'}`, () => {
    assert.equal(isConstantAllow(program, X86_64, NR), constant);
  });

test('constantAllowed(): the calls that a compiled policy allows by number alone, and no others', () => {
  const text =
    'selkie: 1\nsets: 1\narches: [x86_64, i386]\ndefault: errno(EPERM)\nsyscalls:\n  allow:\n    - read\n    - close\n    - socket: family == AF_UNIX\n  log:\n    - write\n';
  const { program } = compilePolicy(parsePolicy(text), { probe: true });
  const numbers = (arch: number): number[] =>
    [...constantAllowed(program, arch, 400)].flatMap((bit, nr) => (bit ? [nr] : []));
  assert.deepEqual(numbers(X86_64), [0, 3]);
  assert.deepEqual(numbers(I386), [3, 6]);
  assert.deepEqual(numbers(ARCHES.aarch64.token), []);
});

test('what isConstantAllow() calls constant is allowed by the interpreter whatever the arguments are', () => {
  let constant = 0;
  for (let seed = 1; seed <= 30; seed += 1) {
    const random = seeded(seed);
    const program = withRandomCodes(compile(randomPolicy(random)), random);
    for (const arch of [X86_64, I386])
      for (let nr = 0; nr < 480; nr += 1) {
        if (!isConstantAllow(program, arch, nr)) continue;
        constant += 1;
        for (let times = 0; times < 3; times += 1) {
          const word = (): bigint => BigInt(Math.floor(random() * 2 ** 32));
          const args = Array.from({ length: 6 }, () => (word() << 32n) | word());
          const data = { nr, arch, args, instructionPointer: (word() << 32n) | word() };
          assert.equal(interpret(program, data).action, SECCOMP_RET_ALLOW, `seed ${seed}, nr ${nr}`);
        }
      }
  }
  assert.ok(constant > 500, `${constant} constant numbers`);
});

/** Changes comparisons to other kinds of jumps, so that all that the model knows occurs. */
function withRandomCodes(program: Program, random: () => number): Program {
  const jumps = [op.BPF_JEQ, op.BPF_JGE, op.BPF_JGT, op.BPF_JSET];
  return program.map((each) => {
    if ((each.code & op.CLASS_MASK) !== op.BPF_JMP || (each.code & op.OPERATION_MASK) === op.BPF_JA) return each;
    return random() < 0.2 ? { ...each, code: op.BPF_JMP | pick(random, jumps) | op.BPF_K } : each;
  });
}
