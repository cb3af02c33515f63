/**
 * Is src/bpf/constant-allow.ts what the running kernel does? For each kind of instruction: a program that executes it, then a thousand cheap
 * ones, then allows. Where the kernel's bitmap has the number, the program never runs and the call is fast. Prints model and timing side by
 * side; ends with 1 where they differ.
 *
 *     node build/bench/bitmap.js [ROUNDS]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkProgram } from '../src/bpf/check.ts';
import { constantAllowed } from '../src/bpf/constant-allow.ts';
import type { Instruction, Program } from '../src/bpf/instruction.ts';
import * as op from '../src/bpf/opcode.ts';
import { ARCHES, X32_SYSCALL_BIT } from '../src/facts/arches.ts';
import {
  OFFSET_ARCH,
  OFFSET_ARGS,
  OFFSET_INSTRUCTION_POINTER,
  OFFSET_NR,
  SECCOMP_RET_ALLOW,
} from '../src/facts/seccomp.ts';
import { LATEST_RELEASE, largestNumber, syscallNumber } from '../src/facts/syscalls.ts';
import { timeCalls } from './timings.ts';

const CHEAP = 1000;
const GETPPID = syscallNumber('x86_64', 'getppid') as number;
/** Beyond the table of any kernel. */
const BEYOND = 5000;

const instruction = (code: number, k = 0, jt = 0, jf = 0): Instruction => ({ code, jt, jf, k });
const load = (k: number): Instruction => instruction(op.BPF_LD | op.BPF_W | op.BPF_ABS, k);
const jump = (operation: number, k: number): Instruction => instruction(op.BPF_JMP | operation, k);
const alu = (operation: number, k = 1): Instruction => instruction(op.BPF_ALU | operation, k);

/** Cheap instructions between `first` and `last`. */
const program = (
  first: readonly Instruction[],
  last = instruction(op.BPF_RET | op.BPF_K, SECCOMP_RET_ALLOW),
): Program => [...first, ...Array.from({ length: CHEAP }, () => load(OFFSET_NR)), last];

const ALU = {
  add: op.BPF_ADD,
  sub: op.BPF_SUB,
  mul: op.BPF_MUL,
  div: op.BPF_DIV,
  and: op.BPF_AND,
  or: op.BPF_OR,
  xor: op.BPF_XOR,
  lsh: op.BPF_LSH,
  rsh: op.BPF_RSH,
};
const JUMPS = { jeq: op.BPF_JEQ, jge: op.BPF_JGE, jgt: op.BPF_JGT, jset: op.BPF_JSET };
const X_IS_ONE = instruction(op.BPF_LDX | op.BPF_IMM, 1);

const first: { readonly [name: string]: readonly Instruction[] } = {
  'ld nr': [],
  'ld arch': [load(OFFSET_ARCH)],
  'ld ip': [load(OFFSET_INSTRUCTION_POINTER)],
  'ld args[0]': [load(OFFSET_ARGS)],
  'ld args[5].high': [load(OFFSET_ARGS + 44)],
  'ld #k': [instruction(op.BPF_LD | op.BPF_IMM, 1)],
  'ld len': [instruction(op.BPF_LD | op.BPF_W | op.BPF_LEN)],
  'ldx #k': [X_IS_ONE],
  'ldx len': [instruction(op.BPF_LDX | op.BPF_W | op.BPF_LEN)],
  st: [instruction(op.BPF_ST)],
  stx: [instruction(op.BPF_STX)],
  'st, ld M': [instruction(op.BPF_ST), instruction(op.BPF_LD | op.BPF_MEM)],
  'st, ldx M': [instruction(op.BPF_ST), instruction(op.BPF_LDX | op.BPF_MEM)],
  tax: [instruction(op.BPF_MISC | op.BPF_TAX)],
  txa: [instruction(op.BPF_MISC | op.BPF_TXA)],
  neg: [alu(op.BPF_NEG)],
  ja: [jump(op.BPF_JA, 0)],
  ...Object.fromEntries(Object.entries(ALU).map(([name, operation]) => [`${name} #k`, [alu(operation)]])),
  ...Object.fromEntries(
    Object.entries(ALU).map(([name, operation]) => [`${name} x`, [X_IS_ONE, alu(operation | op.BPF_X)]]),
  ),
  ...Object.fromEntries(Object.entries(JUMPS).map(([name, operation]) => [`${name} #k`, [jump(operation, 1)]])),
  ...Object.fromEntries(
    Object.entries(JUMPS).map(([name, operation]) => [`${name} x`, [jump(operation | op.BPF_X, 0)]]),
  ),
};

interface Case {
  readonly name: string;
  readonly program: Program;
  readonly nr: number;
}

const RET_A = instruction(op.BPF_RET | op.BPF_A);
const cases: readonly Case[] = [
  ...Object.entries(first).map(([name, each]) => ({ name, program: program(each), nr: GETPPID })),
  {
    name: 'ret allow, data 1',
    program: program([], instruction(op.BPF_RET | op.BPF_K, SECCOMP_RET_ALLOW + 1)),
    nr: GETPPID,
  },
  {
    name: 'ret A',
    program: [...program([], instruction(op.BPF_LD | op.BPF_IMM, SECCOMP_RET_ALLOW)), RET_A],
    nr: GETPPID,
  },
  { name: 'a number beyond the table', program: program([]), nr: BEYOND },
  { name: 'a number of x32', program: program([]), nr: X32_SYSCALL_BIT + GETPPID },
];

const rounds = Number(process.argv[2] ?? 200);
const folder = mkdtempSync(join(tmpdir(), 'selkie-bench-'));
try {
  for (const each of cases) checkProgram(each.program);
  const numbers = [...new Set(cases.map(({ nr }) => nr))];
  const calls = numbers.map((nr) => ({ nr }));
  const [bare = [], ...rows] = timeCalls(
    folder,
    cases.map((each) => each.program),
    calls,
    { rounds, batch: 100 },
  );
  const table = largestNumber('x86_64', LATEST_RELEASE) + 1;
  let wrong = 0;
  const costs = cases.map(({ nr }, index) => {
    const column = numbers.indexOf(nr);
    return (rows[index]?.[column]?.ns ?? Number.NaN) - (bare[column]?.ns ?? Number.NaN);
  });
  // Half of the cheapest program that surely runs, one that reads an argument.
  const limit = (costs[cases.findIndex(({ name }) => name === 'ld args[0]')] as number) / 2;
  console.log(
    `${cases.length} programs of about ${CHEAP} instructions, medians of ${rounds}; fast: below ${limit.toFixed(0)} ns added`,
  );
  cases.forEach(({ name, program, nr }, index) => {
    const model = constantAllowed(program, ARCHES.x86_64.token, table)[nr] === 1;
    const cost = costs[index] as number;
    const agrees = model === cost < limit;
    if (!agrees) wrong += 1;
    const words = [name.padEnd(26), (model ? 'constant' : 'not').padEnd(10), `${cost.toFixed(0).padStart(5)} ns`];
    console.log(`  ${words.join('')}${agrees ? '' : '   THE KERNEL DIFFERS'}`);
  });
  console.log(`${cases.length - wrong} of ${cases.length} as the model says`);
  if (wrong > 0) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
