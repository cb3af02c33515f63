import assert from 'node:assert/strict';
import test from 'node:test';
import { isWord } from '../../src/audit/arguments.ts';
import type { Program } from '../../src/bpf/instruction.ts';
import { interpret } from '../../src/bpf/interpret.ts';
import * as op from '../../src/bpf/opcode.ts';
import { compile } from '../../src/compile/compile.ts';
import { Diagrams } from '../../src/decision/diagrams.ts';
import { pathLengths } from '../../src/decision/path-lengths.ts';
import { findCall } from '../../src/decision/witness.ts';
import { RANK_ARCH } from '../../src/decision/words.ts';
import type { SeccompData } from '../../src/facts/seccomp.ts';
import { boundaryCall, callsOfEveryRule, randomPolicy, seeded } from '../support/random-policy.ts';
import { jeq, load, ret } from '../support/rows.ts';

/** What was found for a number, each length with a call that is claimed to have it. */
function lengthsOf(program: Program, arch: number, nr: number): ReadonlyMap<number, SeccompData> {
  const space = new Diagrams();
  return new Map(
    [...pathLengths(space, program, { arch, nr })].map(([length, where]) => {
      const call = findCall(space, space.and(isWord(space, RANK_ARCH, arch), where)) as SeccompData;
      return [length, { ...call, nr }];
    }),
  );
}

test('pathLengths(): every length is taken by its call, and no call takes another one', () => {
  for (let seed = 1; seed <= 15; seed += 1) {
    const random = seeded(seed);
    const policy = randomPolicy(random);
    const program = compile(policy);
    const calls = [...callsOfEveryRule(policy), ...Array.from({ length: 300 }, () => boundaryCall(random, policy))];
    const known = new Map<string, ReadonlyMap<number, SeccompData>>();
    for (const call of calls) {
      const key = `${call.arch} ${call.nr}`;
      const lengths = known.get(key) ?? lengthsOf(program, call.arch, call.nr);
      known.set(key, lengths);
      assert.ok(lengths.has(interpret(program, call).steps), `seed ${seed}: ${key}`);
    }
    for (const lengths of known.values())
      for (const [length, call] of lengths) assert.equal(interpret(program, call).steps, length, `seed ${seed}`);
  }
});

test('pathLengths(): a way that no call can take is not counted', () => {
  const ARG0 = 16;
  // Twice the same question: the second "yes" behind a "no" cannot be.
  const program = [load(ARG0), jeq(1, 0, 1), ret(0), load(ARG0), jeq(1, 0, 3), load(0), load(0), ret(0), ret(0)];
  assert.deepEqual([...lengthsOf(program, 0, 0).keys()].sort(), [3, 5]);
});

test('pathLengths(): a division by an argument ends the program where that is 0', () => {
  const program: Program = [
    load(16),
    { code: op.BPF_MISC | op.BPF_TAX, jt: 0, jf: 0, k: 0 },
    { code: op.BPF_LD | op.BPF_IMM, jt: 0, jf: 0, k: 1 },
    { code: op.BPF_ALU | op.BPF_DIV | op.BPF_X, jt: 0, jf: 0, k: 0 },
    ret(0x7fff_0000),
  ];
  const lengths = lengthsOf(program, 0xc000_003e, 0);
  assert.deepEqual([...lengths.keys()].sort(), [4, 5]);
  for (const [length, call] of lengths) assert.equal(interpret(program, call).steps, length);
});
