// Diagrams of programs against the interpreter: random programs with every instruction, random calls and calls that the diagram itself names.
import assert from 'node:assert/strict';
import test from 'node:test';
import { ProgramError } from '../../src/base/errors.ts';
import { checkProgram } from '../../src/bpf/check.ts';
import type { Program } from '../../src/bpf/instruction.ts';
import { interpret } from '../../src/bpf/interpret.ts';
import * as op from '../../src/bpf/opcode.ts';
import { CannotTellError } from '../../src/decision/cannot-tell.ts';
import { Diagrams } from '../../src/decision/diagrams.ts';
import { diagramOfProgram } from '../../src/decision/from-program.ts';
import { evaluate, findCall } from '../../src/decision/witness.ts';
import { ARCHES } from '../../src/facts/arches.ts';
import type { SeccompData } from '../../src/facts/seccomp.ts';
import { show } from '../support/agreement.ts';
import { pick, type Random, seeded } from '../support/random-policy.ts';
import { randomProgram } from '../support/random-program.ts';

const PROGRAMS = 400;
const CALLS = 40;

const INTERESTING = [0n, 1n, 2n, 5n, 31n, 32n, 0x7fff_ffffn, 0x8000_0000n, 0xffff_ffffn, 0x1_0000_0000n];

function randomCall(random: Random): SeccompData {
  const value = (): bigint =>
    random() < 0.5
      ? pick(random, INTERESTING)
      : (BigInt(Math.floor(random() * 2 ** 32)) << 32n) | BigInt(Math.floor(random() * 2 ** 32));
  const word = (): number => Number(value() & 0xffff_ffffn);
  const arch = pick(random, [ARCHES.x86_64.token, ARCHES.i386.token, ARCHES.s390x.token, word()]);
  return {
    arch,
    nr: pick(random, [0, 1, 2, word()]),
    instructionPointer: value(),
    args: Array.from({ length: 6 }, value),
  };
}

function isLegal(program: Program): boolean {
  try {
    checkProgram(program);
    return true;
  } catch (error) {
    assert.ok(error instanceof ProgramError);
    return false;
  }
}

test('diagramOfProgram() says what the interpreter does, for every instruction', () => {
  const counts = { decided: 0, undecided: 0, calls: 0, leaves: 0 };
  const seen = new Set<number>();
  for (let seed = 1; counts.decided < PROGRAMS; seed += 1) {
    const random = seeded(seed);
    const program = randomProgram(random, { length: 4 + (seed % 40), isSimple: seed % 4 !== 0 });
    if (!isLegal(program)) continue;
    const space = new Diagrams({ nodes: 1 << 18, steps: 1 << 20 });
    let root: number;
    try {
      root = diagramOfProgram(space, program);
    } catch (error) {
      assert.ok(error instanceof CannotTellError);
      counts.undecided += 1;
      continue;
    }
    counts.decided += 1;
    for (const { code } of program) seen.add(code);
    const leaves = space.reachable(root).filter((node) => space.isLeaf(node));
    const named = leaves.slice(0, 20).map((leaf) => {
      const call = findCall(space, root, (each) => each === leaf) as SeccompData;
      assert.equal(interpret(program, call).action, space.action(leaf), `seed ${seed}: ${show(call)}`);
      return call;
    });
    counts.leaves += named.length;
    for (let count = 0; count < CALLS; count += 1) {
      const call = randomCall(random);
      const action = space.action(evaluate(space, root, call));
      assert.equal(action, interpret(program, call).action, `seed ${seed}: ${show(call)}`);
      counts.calls += 1;
    }
  }
  console.log(JSON.stringify(counts), `${seen.size} opcodes`);
  assert.ok(counts.undecided < counts.decided / 10, JSON.stringify(counts));
  assert.ok(seen.size >= 40, `${seen.size}`);
});

const load = (k: number) => ({ code: op.BPF_LD | op.BPF_ABS, jt: 0, jf: 0, k });
const ret = (k: number) => ({ code: op.BPF_RET, jt: 0, jf: 0, k });
const byX = (operation: number) => ({ code: op.BPF_ALU | operation | op.BPF_X, jt: 0, jf: 0, k: 0 });
const RET_A = { code: op.BPF_RET | op.BPF_A, jt: 0, jf: 0, k: 0 };
const TAX = { code: op.BPF_MISC | op.BPF_TAX, jt: 0, jf: 0, k: 0 };
const immediate = (k: number) => ({ code: op.BPF_LD | op.BPF_IMM, jt: 0, jf: 0, k });
const and = (k: number) => ({ code: op.BPF_ALU | op.BPF_AND, jt: 0, jf: 0, k });

/** What a program returns for calls whose first argument is each value. */
function returns(program: Program, values: readonly bigint[]): number[] {
  const space = new Diagrams();
  const root = diagramOfProgram(space, program);
  return values.map((value) => {
    const call = { nr: 0, arch: ARCHES.x86_64.token, instructionPointer: 0n, args: [value, 0n, 0n, 0n, 0n, 0n] };
    return space.action(evaluate(space, root, call));
  });
}

test('division by X = 0 returns 0, as the kernel does', () => {
  const program = [load(16), and(3), TAX, immediate(7), byX(op.BPF_DIV), RET_A];
  assert.deepEqual(returns(program, [0n, 1n, 2n, 3n]), [0, 7, 3, 2]);
});

test('shifts by X use its low five bits, as the kernel does', () => {
  const program = [load(16), and(0x23), TAX, immediate(1), byX(op.BPF_LSH), RET_A];
  assert.deepEqual(returns(program, [0n, 3n, 32n, 33n]), [1, 8, 1, 2]);
});

test('a program that takes too much says so, and never guesses', () => {
  const multiply = [load(16), TAX, load(24), byX(op.BPF_MUL), { code: op.BPF_JMP | op.BPF_JEQ, jt: 0, jf: 1, k: 77 }];
  const program = [...multiply, ret(0x7fff_0000), ret(0)];
  assert.throws(() => diagramOfProgram(new Diagrams({ nodes: 1 << 16, steps: 1 << 20 }), program), {
    name: 'CannotTellError',
    code: 'cannot_tell',
  });
});
