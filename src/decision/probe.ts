import { lowHalf } from '../base/u64.ts';
import { ARCH_NAMES, ARCHES, type ArchName } from '../facts/arches.ts';
import {
  OFFSET_ARCH,
  OFFSET_ARGS,
  OFFSET_NR,
  PROBE_ARGUMENT,
  PROBE_ERRNO,
  PROBE_OPERATION,
  SECCOMP_RET_ERRNO,
  SERVICE_PROBE_ERRNO,
  type SeccompData,
} from '../facts/seccomp.ts';
import { syscallNumber } from '../facts/syscalls.ts';
import { type Diagrams, FALSE, type Node } from './diagrams.ts';
import { Vectors } from './vectors.ts';

/** The diagram that also answers the probe call (facts/seccomp.ts) of some ABIs, before anything that it says of seccomp(2). */
export function answeringProbe(
  space: Diagrams,
  node: Node,
  arches: Iterable<ArchName>,
  errno: number = PROBE_ERRNO,
): Node {
  const answer = space.leaf((SECCOMP_RET_ERRNO | errno) >>> 0);
  return space.choose(probeCalls(space, arches), answer, node);
}

/** What programs of ours return for the probe call. */
export const PROBE_ANSWERS: readonly number[] = [PROBE_ERRNO, SERVICE_PROBE_ERRNO].map(
  (errno) => (SECCOMP_RET_ERRNO | errno) >>> 0,
);

/** The probe call of an ABI; undefined where it has no seccomp(2). */
export function probeCall(arch: ArchName): SeccompData | undefined {
  const nr = syscallNumber(arch, 'seccomp');
  const args = [BigInt(PROBE_OPERATION), BigInt(PROBE_ARGUMENT), 0n, 0n, 0n, 0n];
  return nr === undefined ? undefined : { nr, arch: ARCHES[arch].token, instructionPointer: 0n, args };
}

/** Whether a call is the probe call of its ABI. */
export function isProbeCall({ arch, nr, args: [operation = 0n, argument = 0n] }: SeccompData): boolean {
  const isSeccomp = ARCH_NAMES.some((name) => ARCHES[name].token === arch && syscallNumber(name, 'seccomp') === nr);
  return isSeccomp && lowHalf(operation) === PROBE_OPERATION && lowHalf(argument) === PROBE_ARGUMENT;
}

function probeCalls(space: Diagrams, arches: Iterable<ArchName>): Node {
  const vectors = new Vectors(space);
  const isWord = (offset: number, value: number): Node => vectors.equal(vectors.word(offset), vectors.constant(value));
  let calls = FALSE;
  for (const arch of arches) {
    const { token, littleEndian } = ARCHES[arch];
    const nr = syscallNumber(arch, 'seccomp');
    if (nr === undefined) continue;
    const low = OFFSET_ARGS + (littleEndian ? 0 : 4);
    const words = [
      isWord(OFFSET_ARCH, token),
      isWord(OFFSET_NR, nr),
      isWord(low, PROBE_OPERATION),
      isWord(low + 8, PROBE_ARGUMENT),
    ];
    calls = space.or(
      words.reduceRight((all, each) => space.and(each, all)),
      calls,
    );
  }
  return calls;
}
