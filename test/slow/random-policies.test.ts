// The bar: 500 random policies with 64-bit comparisons of several arguments. Compiled, which proves them; then 10^6 calls agree with the interpreter,
// with the reference semantics, with libseccomp's programs where it can say the same, and with the running kernel.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import type { Program } from '../../src/bpf/instruction.ts';
import { interpret } from '../../src/bpf/interpret.ts';
import { compile } from '../../src/compile/compile.ts';
import { Diagrams } from '../../src/decision/diagrams.ts';
import { diagramOfPolicy } from '../../src/decision/from-policy.ts';
import { diagramOfProgram } from '../../src/decision/from-program.ts';
import type { ArchName } from '../../src/facts/arches.ts';
import type { SeccompData } from '../../src/facts/seccomp.ts';
import { decide } from '../../src/policy/decide.ts';
import type { ResolvedCondition, ResolvedPolicy } from '../../src/policy/resolved.ts';
import { firstDifference, show } from '../support/agreement.ts';
import { callable, kernelCaller } from '../support/kernel-caller.ts';
import { buildPeer, missingLibseccomp } from '../support/libseccomp.ts';
import { toPeerPolicy } from '../support/libseccomp-rules.ts';
import { askable, forPeer } from '../support/libseccomp-subset.ts';
import { boundaryCall, callsOfEveryRule, type Random, randomPolicy, seeded } from '../support/random-policy.ts';
import { missingTools } from '../support/tools.ts';

const POLICIES = 500;
const CALLS = 2000;

const folder = mkdtempSync(join(tmpdir(), 'selkie-random-policies-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Those of this machine can be asked of the kernel. */
const LISTS: readonly (readonly ArchName[])[] = [
  ['x86_64', 'x32', 'i386'],
  ['x86_64'],
  ['aarch64', 'arm'],
  ['x86_64', 'i386'],
  ['s390x', 'ppc64le'],
];

interface Case {
  readonly seed: number;
  readonly random: Random;
  readonly list: readonly ArchName[];
  readonly policy: ResolvedPolicy;
}

/** The arguments that a condition compares by 64 bits. */
function wideArguments(condition: ResolvedCondition): readonly (number | 'ip')[] {
  if (condition.kind === 'test') return condition.width === 64 ? [condition.argument] : [];
  return condition.kind === 'not' ? wideArguments(condition.operand) : condition.operands.flatMap(wideArguments);
}

function isWide({ arches }: ResolvedPolicy): boolean {
  const rules = arches.flatMap(({ calls }) => [...calls.values()].flat());
  return rules.some(({ condition }) => condition && new Set(wideArguments(condition)).size > 1);
}

/** Random policies one of whose rules compares several arguments by 64 bits. */
function cases(): readonly Case[] {
  const found: Case[] = [];
  for (let seed = 20_000; found.length < POLICIES; seed += 1) {
    const list = LISTS[found.length % LISTS.length] as readonly ArchName[];
    const random = seeded(seed);
    const policy = randomPolicy(random, { arches: list, instructionPointer: list.includes('s390x') });
    if (isWide(policy)) found.push({ seed, random, list, policy });
  }
  return found;
}

const all = cases();
const programs = new Map<number, Program>();
const callsOf = ({ random, policy }: Case, count: number): SeccompData[] => [
  ...callsOfEveryRule(policy),
  ...Array.from({ length: count }, () => boundaryCall(random, policy)),
];

test(`${POLICIES} policies compile, are proven, and ${POLICIES * CALLS} calls agree`, () => {
  let count = 0;
  let instructions = 0;
  for (const each of all) {
    const program = compile(each.policy);
    programs.set(each.seed, program);
    instructions += program.length;
    const space = new Diagrams();
    assert.equal(diagramOfProgram(space, program), diagramOfPolicy(space, each.policy), `seed ${each.seed}`);
    const calls = callsOf(each, CALLS);
    const difference = firstDifference(program, each.policy, calls);
    assert.equal(difference && `seed ${each.seed}: ${show(difference)}`, undefined);
    count += calls.length;
  }
  console.log(`${POLICIES} policies, ${instructions} instructions, ${count} calls`);
  assert.ok(count >= POLICIES * CALLS);
});

test('the running kernel decides as they say', { skip: missingTools('gcc') }, () => {
  const ask = kernelCaller(folder);
  let count = 0;
  let asked = 0;
  for (const each of all.filter(({ list }) => list.includes('x86_64'))) {
    const calls = callsOf(each, 200).flatMap((call) => callable(call) ?? []);
    const answers = ask(programs.get(each.seed) ?? compile(each.policy), calls);
    calls.forEach((call, index) => {
      assert.equal(answers[index], decide(each.policy, call), `seed ${each.seed}: ${show(call)}`);
    });
    count += calls.length;
    asked += 1;
  }
  console.log(`kernel: ${asked} policies, ${count} calls`);
  assert.ok(count >= 50_000, `${count}`);
});

test("libseccomp's programs do the same where it can say it", { skip: missingLibseccomp() }, () => {
  const peer = buildPeer(folder);
  const counts = { policies: 0, whole: 0, numbers: 0, ofNumbers: 0, comparisons: 0, calls: 0 };
  for (const each of all) {
    const part = forPeer(each.policy);
    const size = (policy: ResolvedPolicy): number => policy.arches.reduce((sum, { calls }) => sum + calls.size, 0);
    counts.ofNumbers += size(each.policy);
    // It has no filter for ABIs of different byte orders.
    if (each.list.includes('s390x')) continue;
    if (part.arches.some(({ calls }) => calls.size === 0)) continue;
    const rules = toPeerPolicy(part);
    const theirs = peer.compile(rules, 1).program;
    const ours = compile(part);
    const calls = callsOf({ ...each, policy: part }, 500).flatMap(askable);
    for (const call of calls) {
      const wanted = decide(part, call);
      assert.equal(interpret(ours, call).action, wanted, `seed ${each.seed}: ${show(call)}`);
      assert.equal(interpret(theirs, call).action, wanted, `libseccomp, seed ${each.seed}`);
    }
    counts.policies += 1;
    counts.whole += size(part) === size(each.policy) ? 1 : 0;
    counts.numbers += size(part);
    counts.comparisons += rules.arches.flatMap((arch) => arch.rules.flatMap(({ comparisons }) => comparisons)).length;
    counts.calls += calls.length;
  }
  console.log(`libseccomp ${peer.version}: ${JSON.stringify(counts)}`);
  assert.ok(counts.policies >= POLICIES / 2 && counts.comparisons >= 1000, JSON.stringify(counts));
});
