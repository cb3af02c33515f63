import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ArchName } from '../../src/facts/arches.ts';
import { syscallNumber } from '../../src/facts/syscalls.ts';
import type { Policy } from '../../src/policy/model.ts';
import { printPolicy } from '../../src/policy/print.ts';
import { Coverage } from '../../src/record/coverage.ts';
import { type Evidence, mergeEvidence } from '../../src/record/evidence.ts';
import { joinPolicy } from '../../src/record/join-policy.ts';
import { policyFromEvidence } from '../../src/record/to-policy.ts';

const OPTIONS = { name: 'p', kernel: '6.18' };

/** A call of socket(2) in AF_UNIX. */
const socket = (arch: ArchName, type: bigint, phase: Evidence['phase'] = 'program'): Evidence => ({
  exe: '/p',
  arch,
  syscall: 'socket',
  nr: syscallNumber(arch, 'socket') as number,
  phase,
  condition: { domain: 1n, type, protocol: 0n },
  runs: 1,
  count: 1,
});
const [STREAM, DATAGRAM, PACKETS] = [1n, 2n, 5n];

const rulesOf = (policy: Policy): readonly string[] =>
  printPolicy({ ...policy, arches: [...(policy.arches ?? [])].sort() }).split('\n');

const CASES: readonly (readonly [string, readonly Evidence[], readonly Evidence[]])[] = [
  ['a run of another ABI alone', [socket('x86_64', STREAM)], [socket('i386', DATAGRAM)]],
  ['a run of another ABI too', [socket('x86_64', STREAM)], [socket('x86_64', PACKETS), socket('i386', DATAGRAM)]],
  ['a run of one ABI of two', [socket('x86_64', STREAM), socket('i386', DATAGRAM)], [socket('x86_64', PACKETS)]],
  ['the first run with a service', [socket('x86_64', STREAM)], [socket('x86_64', DATAGRAM, 'service')]],
  ['a run without a service', [socket('x86_64', STREAM, 'service')], [socket('x86_64', DATAGRAM)]],
  [
    'more arguments of the service',
    [socket('x86_64', STREAM, 'service')],
    [socket('x86_64', DATAGRAM, 'service'), socket('x86_64', PACKETS)],
  ],
  [
    'a service that comes to two ABIs',
    [socket('x86_64', STREAM), socket('i386', DATAGRAM)],
    [socket('x86_64', STREAM), socket('x86_64', STREAM, 'service')],
  ],
  ['another ABI that comes to a service', [socket('x86_64', STREAM, 'service')], [socket('i386', DATAGRAM)]],
  ['a run without a start', [socket('x86_64', STREAM, 'start')], [socket('x86_64', DATAGRAM)]],
];

for (const [claim, earlier, later] of CASES)
  test(`${claim}: a policy that nobody changed becomes what all evidence makes`, () => {
    const all = mergeEvidence(earlier, later);
    const joined = joinPolicy(policyFromEvidence(earlier, OPTIONS), earlier, later, OPTIONS);
    assert.deepEqual(new Coverage(joined).outside(all), []);
    assert.deepEqual(rulesOf(joined), rulesOf({ ...policyFromEvidence(all, OPTIONS) }));
  });

test('a rule without a condition for one ABI leaves the conditions of another one alone', () => {
  const earlier = [socket('x86_64', STREAM), socket('i386', STREAM)];
  const made = policyFromEvidence(earlier, OPTIONS);
  const changed = {
    ...made,
    syscalls: made.syscalls.map((rule) =>
      rule.only === 'i386' ? { action: rule.action, call: rule.call, only: rule.only } : rule,
    ),
  };
  const later = [socket('x86_64', DATAGRAM), socket('i386', DATAGRAM)];
  const joined = joinPolicy(changed, earlier, later, OPTIONS);
  assert.deepEqual(new Coverage(joined).outside(mergeEvidence(earlier, later)), []);
  const kinds = joined.syscalls.map(({ only, condition }) => `${only} ${condition === undefined}`).sort();
  assert.deepEqual(kinds, ['i386 true', 'x86_64 false', 'x86_64 false']);
});
