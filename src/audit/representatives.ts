import type { Program } from '../bpf/instruction.ts';
import { isPermitted } from '../decision/actions.ts';
import { FALSE, type Node } from '../decision/diagrams.ts';
import { stackLengths } from '../decision/path-lengths.ts';
import { findCall } from '../decision/witness.ts';
import { RANK_ARCH } from '../decision/words.ts';
import { ARCHES } from '../facts/arches.ts';
import { SECCOMP_RET_ERRNO } from '../facts/seccomp.ts';
import { syscallNumber } from '../facts/syscalls.ts';
import type { Abi } from './abi.ts';
import { halvesOf, isWord, readsArguments } from './arguments.ts';
import { kindOf } from './outcomes.ts';
import type { Subject } from './subject.ts';

/** Calls that stand for others when a filter is timed. They are made some thousand times, so they must do nothing, permitted or not. */

/** What the filter does with it, and what that depends on. */
export type RepresentativeKind =
  | 'permitted by its number'
  | 'permitted by arguments'
  | 'refused by arguments'
  | 'refused by its number';

/** A call to time. */
export interface Representative {
  readonly kind: RepresentativeKind;
  readonly call: string;
  readonly nr: number;
  /** Six. */
  readonly args: readonly bigint[];
  /** Instructions that are executed for it. */
  readonly instructions: number;
}

const MINUS_1 = 0xffff_ffff_ffff_ffffn;

/**
 * Calls and the arguments with which they do nothing but fail, or tell something: descriptors that are not open (EBADF), paths at NULL (EFAULT), sizes and
 * protocols that no kernel takes (EINVAL). Sources: the ERRORS of their man pages.
 */
const HARMLESS: readonly (readonly [call: string, args: Readonly<Record<number, bigint>>])[] = [
  ['getppid', {}],
  ['getpid', {}],
  ['getuid', {}],
  ['gettid', {}],
  ['close', { 0: MINUS_1 }],
  ['read', { 0: MINUS_1 }],
  ['write', { 0: MINUS_1 }],
  ['lseek', { 0: MINUS_1 }],
  ['ioctl', { 0: MINUS_1 }],
  ['fcntl', { 0: MINUS_1 }],
  ['socket', { 2: 0x7fff_ffffn }],
  ['openat', { 1: 0n }],
  ['open', { 0: 0n }],
  ['mprotect', { 0: 1n }],
  ['madvise', { 0: 1n }],
  ['mmap', { 1: 0n }],
  ['connect', { 0: MINUS_1 }],
  ['setsockopt', { 0: MINUS_1 }],
  ['sendto', { 0: MINUS_1 }],
  ['recvfrom', { 0: MINUS_1 }],
  ['kill', { 1: 0x7fff_ffffn }],
  ['mkdirat', { 1: 0n }],
  ['unlinkat', { 1: 0n }],
  ['execve', { 0: 0n }],
];

/** One call of each kind that the filter has. The costliest arguments are taken that lead to an answer which can be timed. */
export function representatives(subject: Subject, stack: readonly Program[]): readonly Representative[] {
  const abi = subject.abis.find(({ arch }) => arch === 'x86_64');
  if (!abi) return [];
  const found = new Map<RepresentativeKind, Representative>();
  for (const [call, fixed] of HARMLESS)
    for (const outcome of ['permitted', 'refused'] as const) {
      const how = readsArguments(subject.space, abi.of(call) as Node) ? 'arguments' : 'its number';
      const kind = `${outcome} by ${how}` as const;
      const one = found.has(kind) ? undefined : representative(subject, abi, stack, { kind, call, fixed });
      if (one) found.set(kind, one);
    }
  return [...found.values()];
}

interface Wanted {
  readonly kind: RepresentativeKind;
  readonly call: string;
  readonly fixed: Readonly<Record<number, bigint>>;
}

function representative(
  subject: Subject,
  abi: Abi,
  stack: readonly Program[],
  wanted: Wanted,
): Representative | undefined {
  const { space, outcomes } = subject;
  const nr = syscallNumber(abi.arch, wanted.call) as number;
  const token = ARCHES[abi.arch].token;
  const isErrno = (action: number): boolean => kindOf(action) === SECCOMP_RET_ERRNO;
  const answer = outcomes.where(abi.at(nr), wanted.kind.startsWith('permitted') ? isPermitted : isErrno);
  const among = space.and(answer, withArguments(subject, abi, wanted.fixed));
  if (among === FALSE) return undefined;
  const lengths = stackLengths(space, stack, { arch: token, nr }, among);
  const instructions = Math.max(...lengths.keys());
  // The word order of a call is its arch's.
  const call = space.and(isWord(space, RANK_ARCH, token), lengths.get(instructions) as Node);
  const args = findCall(space, call)?.args as readonly bigint[];
  return { kind: wanted.kind, call: wanted.call, nr, args, instructions };
}

function withArguments({ space }: Subject, { arch }: Abi, fixed: Readonly<Record<number, bigint>>): Node {
  return Object.entries(fixed).reduce<Node>((all, [index, value]) => {
    const { high, low } = halvesOf(arch, Number(index));
    const words = space.and(
      isWord(space, high, Number(value >> 32n)),
      isWord(space, low, Number(value & 0xffff_ffffn)),
    );
    return space.and(all, words);
  }, 1);
}
