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
  return space.choose(callsOf(space, arches, 'seccomp', [PROBE_OPERATION, PROBE_ARGUMENT]), answer, node);
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

/**
 * The calls of a name, of some ABIs, as a boolean diagram.
 *
 * @param lowWords - what the low words of its first arguments must be; undefined: anything
 */
export function callsOf(
  space: Diagrams,
  arches: Iterable<ArchName>,
  name: string,
  lowWords: readonly (number | undefined)[] = [],
): Node {
  const vectors = new Vectors(space);
  const isWord = (offset: number, value: number): Node => vectors.equal(vectors.word(offset), vectors.constant(value));
  let calls = FALSE;
  for (const arch of arches) {
    const { token, littleEndian } = ARCHES[arch];
    const nr = syscallNumber(arch, name);
    if (nr === undefined) continue;
    const low = OFFSET_ARGS + (littleEndian ? 0 : 4);
    const words = lowWords.flatMap((value, index) => (value === undefined ? [] : [isWord(low + 8 * index, value)]));
    const all = [isWord(OFFSET_ARCH, token), isWord(OFFSET_NR, nr), ...words];
    calls = space.or(
      all.reduceRight((rest, each) => space.and(each, rest)),
      calls,
    );
  }
  return calls;
}
