// The bar: of 2,000 programs that differ from a compiled one by one instruction, each is proven equal or shown different by a call, and the
// interpreter agrees on every call that it is asked.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import type { Program } from '../../src/bpf/instruction.ts';
import { interpret } from '../../src/bpf/interpret.ts';
import { compile } from '../../src/compile/compile.ts';
import { canonicalAction } from '../../src/decision/actions.ts';
import { CannotTellError } from '../../src/decision/cannot-tell.ts';
import { comparable, differing } from '../../src/decision/compare.ts';
import { Diagrams, type Node } from '../../src/decision/diagrams.ts';
import { diagramOfProgram } from '../../src/decision/from-program.ts';
import { searchDifference } from '../../src/decision/search.ts';
import { evaluate, findCall } from '../../src/decision/witness.ts';
import type { SeccompData } from '../../src/facts/seccomp.ts';
import { DOCKER_CAPS } from '../../src/formats/oci/names.ts';
import { readProfileText } from '../../src/formats/oci/read.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';
import type { ResolvedPolicy } from '../../src/policy/resolved.ts';
import { callsOfEveryReturn, show } from '../support/agreement.ts';
import { isLegal, mutate } from '../support/mutate.ts';
import { boundaryCall, callsOfEveryRule, randomPolicy, seeded } from '../support/random-policy.ts';
import { ROOT } from '../support/selkie.ts';

const MUTATIONS = 2000;
const CALLS = 1_000_000;
/** Of each mutant; a few are shown different without a diagram to ask. */
const ASKED = 510;
const DEBIAN = '/usr/share/containers/seccomp.json';

const profile = (archMap: boolean): ResolvedPolicy => {
  const text = readFileSync(DEBIAN, 'utf8');
  const chosen = archMap ? text : text.replace(/"archMap": \[[\s\S]*?\n\t\],/, '');
  const options = { arch: 'x86_64', caps: DOCKER_CAPS, kernel: '6.1', file: DEBIAN } as const;
  return resolvePolicy(readProfileText(chosen, options).policy);
};
/** The one that README tells of. */
const story = (): ResolvedPolicy => {
  const [text = ''] = /^ {4}selkie: 1\n(?: {4}.*\n)+/m.exec(readFileSync(join(ROOT, 'README.md'), 'utf8')) ?? [];
  return resolvePolicy(parsePolicy(text.replaceAll(/^ {4}/gm, '')));
};

const POLICIES: readonly (readonly [name: string, policy: () => ResolvedPolicy])[] = [
  ['the recorded policy of the story', story],
  ["Debian's seccomp.json on x86_64", () => profile(false)],
  ["Debian's seccomp.json on x86_64, i386 and x32", () => profile(true)],
  ['random, x86_64', () => randomPolicy(seeded(71), { arches: ['x86_64'] })],
  ['random, x86_64, another', () => randomPolicy(seeded(72), { arches: ['x86_64'] })],
  ['random, i386', () => randomPolicy(seeded(73), { arches: ['i386'] })],
  ['random, x86_64, x32 and i386', () => randomPolicy(seeded(74), { arches: ['x86_64', 'x32', 'i386'] })],
  ['random, s390x (big-endian)', () => randomPolicy(seeded(75), { arches: ['s390x'] })],
  ['random, aarch64 and s390x', () => randomPolicy(seeded(76), { arches: ['aarch64', 's390x'] })],
  ['random, five ABIs', () => randomPolicy(seeded(77), { arches: ['x86_64', 'x32', 'i386', 'arm', 'riscv64'] })],
];

const differs = (program: Program, mutant: Program, call: SeccompData): boolean =>
  canonicalAction(interpret(program, call).action) !== canonicalAction(interpret(mutant, call).action);

test(`${MUTATIONS} mutations of ${POLICIES.length} programs: proven equal or shown different, never wrong`, {
  skip: !existsSync(DEBIAN) && `no ${DEBIAN} here`,
}, () => {
  const counts = {
    equal: 0,
    different: 0,
    differentBySearch: 0,
    cannotTell: 0,
    illegal: 0,
    calls: 0,
    instructions: 0,
    askedDifferent: 0,
  };
  for (const [name, make] of POLICIES) {
    const policy = make();
    const program = compile(policy);
    counts.instructions += program.length;
    const random = seeded(program.length);
    const known = [...callsOfEveryRule(policy), ...callsOfEveryReturn(program)];
    const calls = [...known, ...Array.from({ length: 4000 }, () => boundaryCall(random, policy))];
    const outcomes = calls.map((call) => interpret(program, call).action);
    for (let made = 0; made < MUTATIONS / POLICIES.length; ) {
      const mutant = mutate(random, program);
      if (!isLegal(mutant)) {
        counts.illegal += 1;
        continue;
      }
      made += 1;
      const space = new Diagrams();
      let pair: readonly [Node, Node];
      try {
        pair = comparable(space, diagramOfProgram(space, program), diagramOfProgram(space, mutant));
      } catch (error) {
        assert.ok(error instanceof CannotTellError, String(error));
        const found = searchDifference([program], [mutant]);
        if (found) assert.ok(differs(program, mutant, found), `${name}: ${show(found)}`);
        counts[found ? 'differentBySearch' : 'cannotTell'] += 1;
        continue;
      }
      const asked = Array.from({ length: ASKED }, () => Math.floor(random() * calls.length));
      for (const index of asked) {
        const call = calls[index] as SeccompData;
        const wanted = canonicalAction(interpret(mutant, call).action);
        assert.equal(space.action(evaluate(space, pair[1], call)), wanted, `${name}: ${show(call)}`);
        assert.equal(
          space.action(evaluate(space, pair[0], call)),
          canonicalAction(outcomes[index] as number),
          show(call),
        );
        counts.calls += 1;
        if (wanted !== canonicalAction(outcomes[index] as number)) counts.askedDifferent += 1;
      }
      if (pair[0] === pair[1]) {
        counts.equal += 1;
        continue;
      }
      counts.different += 1;
      const witness = findCall(space, differing(space, pair)) as SeccompData;
      assert.ok(differs(program, mutant, witness), `${name}: ${show(witness)}`);
    }
  }
  console.log(JSON.stringify(counts));
  assert.equal(counts.cannotTell, 0);
  assert.equal(counts.equal + counts.different + counts.differentBySearch, MUTATIONS);
  // The diagrams are to tell them, not luck.
  assert.ok(counts.differentBySearch < MUTATIONS / 100, `${counts.differentBySearch}`);
  assert.ok(counts.equal >= 20 && counts.different >= 1000, JSON.stringify(counts));
  assert.ok(counts.calls >= CALLS, `${counts.calls}`);
});
