import assert from 'node:assert/strict';
import test from 'node:test';
import { checkProgram } from '../../src/bpf/check.ts';
import { interpret } from '../../src/bpf/interpret.ts';
import { ALL_BITS, type Decision, Decisions, type WordOperator } from '../../src/compile/decision.ts';
import { layOut } from '../../src/compile/layout.ts';
import { ARCHES } from '../../src/facts/arches.ts';
import type { SeccompData } from '../../src/facts/seccomp.ts';
import { decide } from '../support/decisions.ts';
import { pick, seeded } from '../support/random-policy.ts';

const NR = { offset: 0, mask: ALL_BITS };
const LOW = { offset: 16, mask: ALL_BITS };

const LD = 0x20;
const AND = 0x54;
const JEQ = 0x15;
const JGE = 0x35;
const RET = 0x06;
const JA = 0x05;

/** Instructions as [code, jt, jf, k]. */
const laidOut = (decision: Decision): number[][] => layOut(decision).map(({ code, jt, jf, k }) => [code, jt, jf, k]);

test('a return alone is one instruction', () => {
  assert.deepEqual(laidOut(new Decisions().return(0x7fff_0000)), [[RET, 0, 0, 0x7fff_0000]]);
});

test('a test loads its word, compares it, and returns follow', () => {
  const decisions = new Decisions();
  const root = decisions.test(NR, '==', 5, decisions.return(1), decisions.return(2));
  assert.deepEqual(laidOut(root), [
    [LD, 0, 0, 0],
    [JEQ, 1, 0, 5],
    [RET, 0, 0, 2],
    [RET, 0, 0, 1],
  ]);
});

test('a word that A holds is not loaded again, and masked without a second load', () => {
  const decisions = new Decisions();
  const masked = decisions.test({ offset: 0, mask: 0xff }, '==', 7, decisions.return(1), decisions.return(2));
  const root = decisions.test(NR, '>=', 9, decisions.test(NR, '>=', 20, decisions.return(3), masked), masked);
  assert.deepEqual(laidOut(root), [
    [LD, 0, 0, 0],
    [JGE, 0, 2, 9],
    [JGE, 0, 1, 20],
    [RET, 0, 0, 3],
    [AND, 0, 0, 0xff],
    [JEQ, 1, 0, 7],
    [RET, 0, 0, 2],
    [RET, 0, 0, 1],
  ]);
});

test('a masked word that another mask needs is loaded again', () => {
  const decisions = new Decisions();
  const second = decisions.test({ offset: 0, mask: 0xf0 }, '==', 0x10, decisions.return(1), decisions.return(2));
  const root = decisions.test({ offset: 0, mask: 0x0f }, '==', 1, second, decisions.return(3));
  const codes = laidOut(root).map(([code]) => code);
  assert.deepEqual(
    codes.filter((code) => code !== RET),
    [LD, AND, JEQ, LD, AND, JEQ],
  );
});

/** As many different tests of other words as are wanted, one behind the other, each of which may leave for `exit`. */
function row(decisions: Decisions, count: number, exit: Decision): Decision {
  let next: Decision = decisions.return(1);
  for (let index = count - 1; index >= 0; index -= 1)
    next = decisions.test({ offset: 16 + 4 * (index % 12), mask: ALL_BITS }, '==', index, exit, next);
  return next;
}

test('a jump to a test that would be longer than 8 bits goes by a JA; a return is repeated instead', () => {
  const decisions = new Decisions();
  const far = decisions.test(NR, '==', 5, decisions.return(2), decisions.return(3));
  const byJump = layOut(row(decisions, 400, far));
  checkProgram(byJump);
  assert.ok(byJump.some(({ code, k }) => code === JA && k > 0));
  const byReturn = layOut(row(decisions, 400, decisions.return(2)));
  checkProgram(byReturn);
  assert.ok(byReturn.every(({ code }) => code !== JA));
  const repeated = byReturn.filter(({ code, k }) => code === RET && k === 2).length;
  assert.ok(repeated >= 3 && repeated <= 8, `${repeated}`);
});

test('random decisions of any size, laid out, decide as they do', () => {
  const operators: readonly WordOperator[] = ['==', '>=', '&'];
  const { token } = ARCHES.x86_64;
  for (const [seed, size] of [3, 8, 30, 120, 500, 1000].flatMap((each) =>
    [1, 2, 3, 4].map((seed) => [seed, each] as const),
  )) {
    const random = seeded(1000 * seed + size);
    const number = (limit: number): number => Math.floor(random() * limit);
    const decisions = new Decisions();
    const made: Decision[] = [0, 1, 2, 3].map((action) => decisions.return(action));
    while (made.length < size) {
      const word = { offset: pick(random, [0, 16, 20, 24]), mask: pick(random, [ALL_BITS, ALL_BITS, 0xf, 0x3c]) };
      const operator = pick(random, operators);
      const value = operator === '&' ? 1 + number(63) : number(64);
      // Mostly near, so that decisions are deep; some far away, so that jumps are long.
      const next = (): Decision =>
        made[random() < 0.7 ? Math.max(0, made.length - 1 - number(6)) : number(made.length)] as Decision;
      made.push(decisions.test(word, operator, value, next(), next()));
    }
    const root = made.at(-1) as Decision;
    const program = layOut(root);
    checkProgram(program);
    for (let count = 0; count < 300; count += 1) {
      const args = [BigInt(number(64)) | (BigInt(number(64)) << 32n), BigInt(number(64)), 0n, 0n, 0n, 0n];
      const call: SeccompData = { nr: number(64), arch: token, instructionPointer: 0n, args };
      assert.equal(interpret(program, call).action, decide(root, call), `seed ${seed}, size ${size}`);
    }
  }
});

test('what the kernel would not take is an error that says how long it is', () => {
  const decisions = new Decisions();
  assert.throws(
    () => layOut(row(decisions, 3000, decisions.test(LOW, '==', 1, decisions.return(4), decisions.return(5)))),
    {
      code: 'program_too_long',
      message: /^Cannot compile: [0-9]+ instructions, the kernel takes 4096: /,
    },
  );
});
