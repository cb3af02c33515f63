// Programs that the kernel's checker accepts and that are made to be too much: each at or near 4,096 instructions, or with a large meaning.
import type { Instruction, Program } from '../../src/bpf/instruction.ts';
import * as op from '../../src/bpf/opcode.ts';
import { BPF_MAXINSNS, OFFSET_ARCH, OFFSET_ARGS, OFFSET_NR } from '../../src/facts/seccomp.ts';
import { seeded } from './random-policy.ts';

const ALLOW = 0x7fff_0000;
const ERRNO = 0x0005_0000;

const make = (code: number, k = 0, jt = 0, jf = 0): Instruction => ({ code, jt, jf, k: k >>> 0 });
const load = (offset: number): Instruction => make(op.BPF_LD | op.BPF_ABS, offset);
const argument = (index: number, half: 'low' | 'high' = 'low'): Instruction =>
  load(OFFSET_ARGS + 8 * index + (half === 'low' ? 0 : 4));
const TAX = make(op.BPF_MISC | op.BPF_TAX);
const TXA = make(op.BPF_MISC | op.BPF_TXA);
const RET_A = make(op.BPF_RET | op.BPF_A);
const alu = (operation: number, k: number): Instruction => make(op.BPF_ALU | operation, k);
const byX = (operation: number): Instruction => make(op.BPF_ALU | operation | op.BPF_X);
const jump = (operation: number, k: number, jt: number, jf: number): Instruction =>
  make(op.BPF_JMP | operation, k, jt, jf);
const jumpByX = (operation: number, jt: number, jf: number): Instruction =>
  make(op.BPF_JMP | operation | op.BPF_X, 0, jt, jf);
const store = (slot: number): Instruction => make(op.BPF_ST, slot);
const storeX = (slot: number): Instruction => make(op.BPF_STX, slot);
const memory = (slot: number): Instruction => make(op.BPF_LD | op.BPF_MEM, slot);
const memoryX = (slot: number): Instruction => make(op.BPF_LDX | op.BPF_MEM, slot);
const immediate = (k: number): Instruction => make(op.BPF_LD | op.BPF_IMM, k);
const ja = (k: number): Instruction => make(op.BPF_JMP | op.BPF_JA, k);
const ret = (k: number): Instruction => make(op.BPF_RET, k);

/** Allow where A is 77. */
const VERDICT: Program = [jump(op.BPF_JEQ, 77, 0, 1), ret(ALLOW), ret(ERRNO | 1)];

const times = <T>(count: number, each: (index: number) => readonly T[]): readonly T[] =>
  Array.from({ length: count }, (_, index) => each(index)).flat();

/** A body again and again, up to the kernel's limit. */
function filling(start: Program, body: (index: number) => Program, end: Program): Program {
  const program = [...start];
  for (let index = 0; ; index += 1) {
    const next = body(index);
    if (program.length + next.length + end.length > BPF_MAXINSNS) return [...program, ...end];
    program.push(...next);
  }
}

/** By one operation of A and X, again and again, with other arguments in X. */
const arithmetic = (operation: number): Program =>
  filling(
    [argument(0), TAX],
    (index) => [storeX(0), store(1), argument(index % 6), TAX, memory(1), byX(operation), alu(op.BPF_ADD, 1)],
    VERDICT,
  );

/** As many values of a register as there are ways: a bit more where a bit of an argument is set. */
const ladder = (start: Program, body: (index: number) => Program, end: Program): Program => [
  ...start,
  ...times(64, (index) => [
    argument(index >> 5),
    jump(op.BPF_JSET, 2 ** (index & 31), 0, body(index).length),
    ...body(index),
  ]),
  ...end,
];

/** Sums a weight for each bit that is set. */
const weigh = (bits: number, weight: (index: number) => number): Program => [
  immediate(0),
  store(0),
  ...times(bits, (index) => [
    argument(index >> 5),
    jump(op.BPF_JSET, 2 ** (index & 31), 0, 3),
    memory(0),
    alu(op.BPF_ADD, weight(index)),
    store(0),
  ]),
];

/** The bit of the argument at the place that says how many bits of it are set (Bryant 1991): no order of variables makes it small. */
const hiddenWeightedBit = (): Program => [
  ...weigh(32, () => 1),
  memoryX(0),
  argument(0),
  byX(op.BPF_RSH),
  jump(op.BPF_JSET, 1, 0, 1),
  ret(ALLOW),
  ret(ERRNO),
];

/** Are the bits of one value those of another in another order? */
const permutation = (count: number): Program => {
  const tests = times(count, (index) => {
    const other = (index * 11 + 5) % 32;
    return [
      argument(0),
      alu(op.BPF_RSH, index),
      alu(op.BPF_AND, 1),
      TAX,
      argument(5),
      alu(op.BPF_RSH, other),
      alu(op.BPF_AND, 1),
      jumpByX(op.BPF_JEQ, 1, 0),
      ret(ERRNO),
    ];
  });
  return [...tests, ret(ALLOW)];
};

/** The parity of words: a small diagram with 2^31 ranges of each. */
const parity = (offsets: readonly number[], odd: Program): Program => [
  immediate(0),
  store(0),
  ...offsets.flatMap((offset) => [load(offset), TAX, memory(0), byX(op.BPF_XOR), store(0)]),
  ...[16, 8, 4, 2, 1].flatMap((places) => [
    memory(0),
    alu(op.BPF_RSH, places),
    TAX,
    memory(0),
    byX(op.BPF_XOR),
    store(0),
  ]),
  memory(0),
  jump(op.BPF_JSET, 1, 0, odd.length),
  ...odd,
  ret(ERRNO | 1),
];

/** A return of its own for each number. */
const everyNumber = (action: (index: number) => Program): Program =>
  filling([load(OFFSET_NR)], (index) => [jump(op.BPF_JEQ, index, 0, action(index).length), ...action(index)], [
    ret(ERRNO),
  ]);

const strided = (stride: number): Program =>
  filling([load(OFFSET_NR)], (index) => [jump(op.BPF_JGE, stride * (index + 1), 1, 0), ret(ERRNO | (index % 4000))], [
    ret(ALLOW),
  ]);

/** Conditions of every kind on arguments, for each number. */
function jumble(seed: number): Program {
  const random = seeded(seed);
  const u32 = (): number => Math.floor(random() * 2 ** 32);
  const program: Instruction[] = [];
  while (program.length < BPF_MAXINSNS - 300) {
    const tests = times(6, () => [
      argument(Math.floor(random() * 6), random() < 0.5 ? 'low' : 'high'),
      alu(op.BPF_AND, u32()),
      jump(random() < 0.5 ? op.BPF_JGT : op.BPF_JEQ, u32(), Math.floor(random() * 9), Math.floor(random() * 9)),
    ]);
    program.push(...tests, ...times(9, (index) => [argument(index % 6)]));
  }
  return [...program, ...VERDICT];
}

/** Pairs of bits, one of each end of two arguments. */
function crossing(): Program {
  return [
    ...times(32, (index) => [
      argument(0),
      alu(op.BPF_RSH, index),
      TAX,
      argument(5),
      alu(op.BPF_RSH, 31 - index),
      byX(op.BPF_AND),
      jump(op.BPF_JSET, 1, 0, 1),
      ret(ALLOW),
    ]),
    ret(ERRNO),
  ];
}

const square = (index: number): Program => [argument(index), TAX, byX(op.BPF_MUL)];

/** By name of what is too much in them. */
export function hostilePrograms(): Readonly<Record<string, Program>> {
  return {
    'multiplications of arguments': arithmetic(op.BPF_MUL),
    'divisions of arguments': arithmetic(op.BPF_DIV),
    'sums of arguments': arithmetic(op.BPF_ADD),
    'differences of arguments': arithmetic(op.BPF_SUB),
    'XOR of arguments': arithmetic(op.BPF_XOR),
    'shifts by arguments': arithmetic(op.BPF_LSH),
    'AND of arguments': arithmetic(op.BPF_AND),
    'a product compared': [argument(0), TAX, argument(1), byX(op.BPF_MUL), ...VERDICT],
    'a quotient compared': [argument(0), TAX, argument(1), byX(op.BPF_DIV), ...VERDICT],
    'a square compared': [...square(0), ...VERDICT],
    'a sum compared with a product': [
      ...square(0),
      TAX,
      argument(1),
      jumpByX(op.BPF_JGT, 0, 1),
      ret(ALLOW),
      ret(ERRNO),
    ],
    'squares of the number': [load(OFFSET_NR), TAX, byX(op.BPF_MUL), ...VERDICT],
    'arguments far apart compared': [
      argument(0),
      TAX,
      argument(5),
      ...times(20, () => [jumpByX(op.BPF_JGT, 0, 0)]),
      ...VERDICT,
    ],
    'all arguments equal': [
      ...times(5, (index) => [argument(index), TAX, argument(index + 1), jumpByX(op.BPF_JEQ, 1, 0), ret(ERRNO)]),
      ret(ALLOW),
    ],
    'hidden weighted bit': hiddenWeightedBit(),
    'a permutation of 32 bits': permutation(32),
    'a permutation of 12 bits': permutation(12),
    'a permutation of 16 bits': permutation(16),
    'a permutation of 18 bits': permutation(18),
    'crossing pairs of bits': crossing(),
    'weights of bits': [...weigh(64, (index) => index * index + 1), memory(0), ...VERDICT],
    'random weights of bits': [...weigh(64, (index) => Math.imul(index + 1, 0x9e37_79b1)), memory(0), ...VERDICT],
    'weights returned': [...weigh(12, (index) => 2 ** index), memory(0), alu(op.BPF_OR, ERRNO), RET_A],
    'states doubled, then divided': ladder(
      [immediate(1), store(0)],
      () => [memory(0), alu(op.BPF_MUL, 3), alu(op.BPF_ADD, 1), store(0), ja(0)],
      [memory(0), ...times(200, () => [alu(op.BPF_DIV, 3), alu(op.BPF_ADD, 0x1234_5677)]), ...VERDICT],
    ),
    'states doubled in scratch memory': [
      immediate(0),
      ...times(16, (slot) => [store(slot)]),
      ...times(64, (index) => [
        argument(index >> 5),
        jump(op.BPF_JSET, 2 ** (index & 31), 0, 3),
        memory(index % 16),
        alu(op.BPF_ADD, 1 + index),
        store(index % 16),
      ]),
      ...times(16, (slot) => [memory(slot), jump(op.BPF_JEQ, 5, 0, 1), ret(ERRNO | slot)]),
      ret(ALLOW),
    ],
    'fifteen bits of state, multiplied': [
      ...weigh(15, (index) => 2 ** index),
      memory(0),
      alu(op.BPF_MUL, 0x9e37_79b1),
      ...VERDICT,
    ],
    'fourteen bits of state, divided': [
      ...weigh(14, (index) => 2 ** index),
      memory(0),
      alu(op.BPF_DIV, 1001),
      ...VERDICT,
    ],
    'RET A of an argument': [argument(0), RET_A],
    'RET A of twelve bits': [argument(0), alu(op.BPF_AND, 0xfff), RET_A],
    'RET A of twelve bits of the number': [load(OFFSET_NR), alu(op.BPF_AND, 0xfff), alu(op.BPF_OR, ERRNO), RET_A],
    'RET A of products': filling(
      [load(OFFSET_NR)],
      (index) => [jump(op.BPF_JEQ, index, 0, 5), argument(0), TAX, argument(1), byX(op.BPF_MUL), RET_A],
      [ret(0)],
    ),
    'RET A of every argument': filling(
      [load(OFFSET_NR)],
      (index) => [jump(op.BPF_JEQ, index, 0, 2), argument(index % 6), RET_A],
      [ret(0)],
    ),
    'RET A of one argument, for many numbers': filling(
      [load(OFFSET_NR)],
      (index) => [jump(op.BPF_JEQ, index, 0, 2), argument(3), RET_A],
      [ret(0)],
    ),
    'RET A of the number': [load(OFFSET_NR), RET_A],
    'RET A of a sum': [argument(0), TAX, argument(1), byX(op.BPF_ADD), RET_A],
    'many RET A': filling(
      [load(OFFSET_NR)],
      (index) => [jump(op.BPF_JEQ, index, 0, 4), argument(index % 6), alu(op.BPF_AND, 3), alu(op.BPF_OR, ERRNO), RET_A],
      [ret(0)],
    ),
    'JA behind JA': filling([], () => [ja(0)], [ret(ALLOW)]),
    'jumps that all lead on': filling([load(OFFSET_NR)], (index) => [jump(op.BPF_JEQ, index, 0, 0)], [ret(ALLOW)]),
    'jumps by bits that all lead on': filling(
      [],
      (index) => [argument(index % 6), jump(op.BPF_JSET, 2 ** (index % 32), 0, 0)],
      [ret(ALLOW)],
    ),
    'the parity of the number': parity([OFFSET_NR], [ret(ALLOW)]),
    'the parity of the token': parity([OFFSET_ARCH], [ret(ALLOW)]),
    'the parity of everything': parity(
      times(16, (word) => [4 * word]),
      [ret(ALLOW)],
    ),
    'the parity of the arguments': parity(
      times(12, (word) => [OFFSET_ARGS + 4 * word]),
      [ret(ALLOW)],
    ),
    'every other number': [load(OFFSET_NR), jump(op.BPF_JSET, 1, 0, 1), ret(ALLOW), ret(ERRNO)],
    'every other of 2^16 numbers': [
      load(OFFSET_NR),
      jump(op.BPF_JGE, 0xffff, 1, 0),
      jump(op.BPF_JSET, 1, 0, 1),
      ret(ALLOW),
      ret(ERRNO),
    ],
    'every other of 2^15 numbers, by its argument': [
      load(OFFSET_NR),
      jump(op.BPF_JGE, 0x7fff, 5, 0),
      TAX,
      argument(0),
      jumpByX(op.BPF_JEQ, 0, 2),
      TXA,
      jump(op.BPF_JSET, 1, 1, 0),
      ret(ALLOW),
      ret(ERRNO),
    ],
    'a return of its own for each number': everyNumber((index) => [ret(ERRNO | (index % 4000))]),
    'a signal for each number': everyNumber((index) => [ret(0x0003_0000 | index)]),
    'an argument of its own for each number': everyNumber((index) => [
      argument(index % 6),
      jump(op.BPF_JEQ, index, 0, 1),
      ret(ALLOW),
      ret(ERRNO),
    ]),
    'ranges of 4,999 numbers': strided(4999),
    'ranges of 2^20 numbers': strided(2 ** 20),
    'a row of equality tests of one argument': filling(
      [argument(0)],
      (index) => [jump(op.BPF_JEQ, Math.imul(index, 0x9e37_79b1) >>> 0, 0, 1), ret(ERRNO | (index % 4000))],
      [ret(ALLOW)],
    ),
    'rows of masks': filling(
      [],
      (index) => [
        argument(index % 6, index % 2 ? 'high' : 'low'),
        alu(op.BPF_AND, Math.imul(index + 1, 0x85eb_ca6b)),
        jump(op.BPF_JEQ, 0, 0, 1),
        ret(ERRNO | (index % 7)),
      ],
      [ret(ALLOW)],
    ),
    'masks of one argument': filling(
      [],
      (index) => [
        argument(0),
        alu(op.BPF_AND, Math.imul(index + 1, 0x85eb_ca6b)),
        jump(op.BPF_JEQ, Math.imul(index + 1, 0x85eb_ca6b) & 0x1234_5678, 0, 1),
        ret(ERRNO | (index % 7)),
      ],
      [ret(ALLOW)],
    ),
    'a jumble of tests': jumble(1),
    'another jumble of tests': jumble(2),
  };
}
