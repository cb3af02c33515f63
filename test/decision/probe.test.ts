import assert from 'node:assert/strict';
import test from 'node:test';
import { Diagrams } from '../../src/decision/diagrams.ts';
import { answeringProbe, isProbeCall, probeCall } from '../../src/decision/probe.ts';
import { evaluate } from '../../src/decision/witness.ts';
import { ARCH_NAMES, type ArchName } from '../../src/facts/arches.ts';
import { PROBE_ERRNO, SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO, type SeccompData } from '../../src/facts/seccomp.ts';

const ANSWER = SECCOMP_RET_ERRNO + PROBE_ERRNO;

/** What a filter that allows all returns when it answers the probe of some ABIs. */
function answer(arches: readonly ArchName[], call: SeccompData): number {
  const space = new Diagrams();
  return space.action(evaluate(space, answeringProbe(space, space.leaf(SECCOMP_RET_ALLOW), arches), call));
}

for (const arch of ARCH_NAMES)
  test(`${arch}: the probe call is answered, and no call beside it`, () => {
    const probe = probeCall(arch) as SeccompData;
    assert.equal(answer([arch], probe), ANSWER);
    assert.ok(isProbeCall(probe));
    const beside: SeccompData[] = [
      { ...probe, nr: probe.nr + 1 },
      { ...probe, arch: (probe.arch ^ 1) >>> 0 },
      ...[0, 1].map((index) => ({
        ...probe,
        args: probe.args.map((value, at) => (at === index ? value ^ 4n : value)),
      })),
      { ...probe, args: probe.args.map((value) => value << 32n) },
    ];
    for (const call of beside) {
      assert.equal(answer([arch], call), SECCOMP_RET_ALLOW);
      assert.ok(!isProbeCall(call));
    }
  });

test('high halves, other arguments and the place of the call do not matter', () => {
  for (const arch of ARCH_NAMES) {
    const { args, ...probe } = probeCall(arch) as SeccompData;
    const call = {
      ...probe,
      instructionPointer: 2n ** 63n,
      args: args.map((value, index) => value | (BigInt(index + 1) << 32n)),
    };
    assert.equal(answer([arch], call), ANSWER, arch);
    assert.ok(isProbeCall(call), arch);
  }
});

test('ABIs that are not named are not answered', () => {
  for (const arch of ARCH_NAMES) {
    const probe = probeCall(arch) as SeccompData;
    assert.equal(answer([], probe), SECCOMP_RET_ALLOW);
    assert.equal(
      answer(
        ARCH_NAMES.filter((each) => each !== arch),
        probeCall(arch) as SeccompData,
      ),
      SECCOMP_RET_ALLOW,
      arch,
    );
    assert.equal(answer(ARCH_NAMES, probe), ANSWER, arch);
  }
});
