import assert from 'node:assert/strict';
import test from 'node:test';
import type { Program } from '../../src/bpf/instruction.ts';
import { interpret } from '../../src/bpf/interpret.ts';
import { canonical, canonicalAction } from '../../src/decision/actions.ts';
import { Diagrams } from '../../src/decision/diagrams.ts';
import { diagramOfProgram } from '../../src/decision/from-program.ts';
import { actionOfStack } from '../../src/decision/search.ts';
import { diagramOfStack } from '../../src/decision/stack.ts';
import { evaluate } from '../../src/decision/witness.ts';
import { ARCHES } from '../../src/facts/arches.ts';
import type { SeccompData } from '../../src/facts/seccomp.ts';
import { seeded } from '../support/random-policy.ts';

const make = (code: number, k = 0) => ({ code, jt: 0, jf: 0, k });
const FIRST = make(0x20, 16);
const RET_A = make(0x16);
const RETURNS_FIRST: Program = [FIRST, RET_A];

/** Every action and its neighbours, with data at its edges; and anything. */
function values(): number[] {
  const random = seeded(16);
  const actions = [0x8000, 0, 3, 5, 0x7fc0, 0x7ff0, 0x7ffc, 0x7fff].flatMap((action) => [
    action - 1,
    action,
    action + 1,
  ]);
  const data = [0, 1, 38, 4094, 4095, 4096, 4097, 0x8fff, 0x9000, 0xffff];
  const edges = actions.flatMap((action) => data.map((each) => ((action << 16) | each) >>> 0));
  return [...edges, ...Array.from({ length: 2000 }, () => Math.floor(random() * 2 ** 32))];
}

const callWith = (value: number): SeccompData => ({
  nr: 1,
  arch: ARCHES.x86_64.token,
  instructionPointer: 0n,
  args: [BigInt(value), 0n, 0n, 0n, 0n, 0n],
});

test('a whole word that is returned: each value does what the kernel does with it', () => {
  const space = new Diagrams();
  const root = canonical(space, diagramOfProgram(space, RETURNS_FIRST));
  for (const value of values())
    assert.equal(space.action(evaluate(space, root, callWith(value))), canonicalAction(value), value.toString(16));
  const leaves = space.reachable(root).filter((node) => space.isLeaf(node));
  // Data of TRAP and of TRACE, errnos to 4095, and what has none: KILL_PROCESS, KILL_THREAD, USER_NOTIF, LOG, ALLOW.
  assert.equal(leaves.length, 2 * 2 ** 16 + 4096 + 5);
});

test('values that cannot be told apart by what they do make the same diagram', () => {
  const space = new Diagrams();
  const [plain, without] = [RETURNS_FIRST, [FIRST, make(0x54, 0x7fff_ffff), make(0x44, 0x7fff_0000), RET_A]].map(
    (program) => canonical(space, diagramOfProgram(space, program)),
  );
  assert.notEqual(plain, without);
  assert.equal(without, space.leaf(0x7fff_0000));
});

test('up to 4,096 values are leaves as they are, with data that nobody reads', () => {
  const space = new Diagrams();
  const root = diagramOfProgram(space, [FIRST, make(0x54, 0xfff), make(0x44, 0x7fff_1000), RET_A]);
  for (const value of [0, 1, 77, 0xfff])
    assert.equal(space.action(evaluate(space, root, callWith(value))), 0x7fff_1000 + value);
});

test('beside another filter the stricter one counts, values that the kernel does not know included', () => {
  for (const other of [0, 0x8000_0000, 0x3_0007, 0x5_0026, 0x7fc0_0000, 0x7ff0_0001, 0x7ffc_0000, 0x7fff_0000]) {
    const returnsOther = [make(0x06, other)];
    for (const stack of [
      [RETURNS_FIRST, returnsOther],
      [returnsOther, RETURNS_FIRST],
    ]) {
      const space = new Diagrams();
      const root = canonical(space, diagramOfStack(space, stack));
      for (const value of values()) {
        const found = space.action(evaluate(space, root, callWith(value)));
        assert.equal(
          found,
          actionOfStack(stack, callWith(value)),
          `${value.toString(16)} beside ${other.toString(16)}`,
        );
        const returned = stack.map((program) => interpret(program, callWith(value)).action);
        const strictest = returned.reduce((a, b) => ((b & 0xffff_0000) < (a & 0xffff_0000) ? b : a));
        assert.equal(found, canonicalAction(strictest));
      }
    }
  }
});
