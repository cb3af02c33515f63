// What a policy allows whatever the arguments are is seen by the kernel's bitmap, and nothing else is.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import test from 'node:test';
import { isConstantAllow } from '../../src/bpf/constant-allow.ts';
import { compile } from '../../src/compile/compile.ts';
import { Diagrams, type Node } from '../../src/decision/diagrams.ts';
import { diagramOfPolicy } from '../../src/decision/from-policy.ts';
import { intervalsOf } from '../../src/decision/intervals.ts';
import { RANK_ARCH, RANK_NR } from '../../src/decision/words.ts';
import { ARCHES } from '../../src/facts/arches.ts';
import { SECCOMP_RET_ALLOW } from '../../src/facts/seccomp.ts';
import { DOCKER_CAPS } from '../../src/formats/oci/names.ts';
import { readProfileText } from '../../src/formats/oci/read.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';
import type { ResolvedPolicy } from '../../src/policy/resolved.ts';
import { randomPolicy, seeded } from '../support/random-policy.ts';

const DEBIAN = '/usr/share/containers/seccomp.json';

/** Compares every number up to 600 of each half, and every edge of the diagram. @returns how many are constant, how many are not */
function compared(policy: ResolvedPolicy): { constant: number; others: number } {
  const program = compile(policy);
  const space = new Diagrams();
  const root = diagramOfPolicy(space, policy);
  const counts = { constant: 0, others: 0 };
  const allow = space.leaf(SECCOMP_RET_ALLOW);
  const at = (rank: number, node: Node, value: number): Node =>
    (intervalsOf(space, rank, node) ?? []).findLast(({ from }) => from <= value)?.node as Node;
  for (const { token } of Object.values(ARCHES)) {
    const ofToken = at(RANK_ARCH, root, token);
    const edges = (intervalsOf(space, RANK_NR, ofToken) ?? []).flatMap(({ from }) => [from, Math.max(0, from - 1)]);
    const plain = Array.from({ length: 600 }, (_, nr) => [nr, 0x4000_0000 + nr]).flat();
    for (const nr of new Set([...edges, ...plain, 0xffff_ffff])) {
      const isAllowed = at(RANK_NR, ofToken, nr) === allow;
      assert.equal(isConstantAllow(program, token, nr), isAllowed, `token 0x${token.toString(16)}, number ${nr}`);
      counts[isAllowed ? 'constant' : 'others'] += 1;
    }
  }
  return counts;
}

test('random policies: the bitmap model is true for exactly what is always allowed', () => {
  const counts = { constant: 0, others: 0 };
  for (let seed = 1; seed <= 25; seed += 1) {
    const { constant, others } = compared(randomPolicy(seeded(seed)));
    counts.constant += constant;
    counts.others += others;
  }
  assert.ok(counts.constant >= 500 && counts.others >= 500, JSON.stringify(counts));
});

for (const arch of ['x86_64', 'aarch64', 's390x'] as const)
  test(`Debian's seccomp.json on ${arch}: the bitmap model is true for exactly what is always allowed`, {
    skip: !existsSync(DEBIAN) && `no ${DEBIAN} here`,
  }, () => {
    const text = readFileSync(DEBIAN, 'utf8');
    const { policy } = readProfileText(text, { arch, caps: DOCKER_CAPS, kernel: '6.1', file: DEBIAN });
    assert.ok(compared(resolvePolicy(policy)).constant >= 300);
  });
