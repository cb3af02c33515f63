// What the commands do with a program, and whether the answer is right: calls that answers name are asked of the interpreter.
import assert from 'node:assert/strict';
import { disassemble } from '../../src/bpf/disassemble.ts';
import type { Program } from '../../src/bpf/instruction.ts';
import { interpret } from '../../src/bpf/interpret.ts';
import { canonicalAction } from '../../src/decision/actions.ts';
import { comparable } from '../../src/decision/compare.ts';
import { compareStacks } from '../../src/decision/compare-stacks.ts';
import { Diagrams, type Node } from '../../src/decision/diagrams.ts';
import { differenceLines } from '../../src/decision/difference-text.ts';
import { diagramOfProgram } from '../../src/decision/from-program.ts';
import { liftDiagram } from '../../src/decision/lift/lift.ts';
import { findCall } from '../../src/decision/witness.ts';
import { SECCOMP_RET_ALLOW } from '../../src/facts/seccomp.ts';
import { decide } from '../../src/policy/decide.ts';
import { printPolicy } from '../../src/policy/print.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';
import { show } from './agreement.ts';
import type { Work } from './bounded-run.ts';

/** Calls at which an answer is checked. */
const CHECKED = 50;

/** @throws {SelkieError} as the work does; an assertion that fails says that an answer is wrong */
export function doWork(program: Program, work: Work): void {
  if (work === 'disasm') {
    assert.equal(disassemble(program).split('\n').length, program.length);
    return;
  }
  if (work === 'diff') {
    diff(program);
    return;
  }
  const space = new Diagrams();
  const root = diagramOfProgram(space, program);
  if (work === 'diagram') checkLeaves(space, root, program);
  if (work === 'prove') prove(space, root, program);
  if (work === 'lift') lift(space, root, program);
}

function checkLeaves(space: Diagrams, root: Node, program: Program): void {
  const leaves = space.reachable(root).filter((node) => space.isLeaf(node));
  for (const leaf of leaves.slice(0, CHECKED)) {
    const call = findCall(space, root, (each) => each === leaf);
    assert.ok(call);
    assert.equal(canonicalAction(interpret(program, call).action), canonicalAction(space.action(leaf)), show(call));
  }
}

/** Against a filter that allows everything. */
function diff(program: Program): void {
  const { differences, permitsMore } = compareStacks([program], []);
  assert.notEqual(permitsMore?.left, true);
  if (differences.length > 0) assert.ok(differenceLines(differences, { left: 'A', right: 'B' }).length > 0);
  for (const { example, left, right } of differences.slice(0, CHECKED)) {
    assert.equal(canonicalAction(interpret(program, example).action), left, show(example));
    assert.equal(right, SECCOMP_RET_ALLOW);
    assert.notEqual(left, right);
  }
}

/** Against itself, executed once more. */
function prove(space: Diagrams, root: Node, program: Program): void {
  const pair = comparable(space, root, diagramOfProgram(space, program));
  assert.equal(pair[0], pair[1]);
}

function lift(space: Diagrams, root: Node, program: Program): void {
  const { policy, isExact, problems } = liftDiagram(space, root);
  assert.ok(printPolicy(policy).startsWith('selkie: 1\n'));
  assert.equal(isExact, problems.length === 0, problems.join());
  if (!isExact) return;
  const resolved = resolvePolicy(policy);
  for (const leaf of space
    .reachable(root)
    .filter((node) => space.isLeaf(node))
    .slice(0, CHECKED)) {
    const call = findCall(space, root, (each) => each === leaf);
    assert.ok(call);
    assert.equal(canonicalAction(decide(resolved, call)), canonicalAction(interpret(program, call).action), show(call));
  }
}
