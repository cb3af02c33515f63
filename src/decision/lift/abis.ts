import { ARCH_NAMES, ARCHES, type ArchName, NO_CALL, X32_SYSCALL_BIT } from '../../facts/arches.ts';
import type { Diagrams, Node } from '../diagrams.ts';
import { type Interval, intervalsOf } from '../intervals.ts';
import { RANK_ARCH, RANK_NR } from '../words.ts';

const LAST = 0xffff_ffff;

/** Numbers from `from` to `to`, both included, lead to `node`. */
export interface NumberRange {
  readonly from: number;
  readonly to: number;
  readonly node: Node;
}

/** What the calls of one ABI get: ranges of all its numbers. */
export interface Abi {
  readonly arch: ArchName;
  readonly ranges: readonly NumberRange[];
}

/** A diagram taken apart by ABI. */
export interface Abis {
  readonly abis: readonly Abi[];
  /** What all other tokens get. */
  readonly elsewhere: Node;
  /** Tokens that differ from it and are no ABI that we know. */
  readonly strangers: readonly { readonly from: number; readonly to: number }[];
}

/** The ABIs of a machine whose filter does not look at the token. */
const MACHINE: readonly ArchName[] = ['x86_64', 'x32', 'i386'];

/** Takes a diagram apart: an ABI all of whose calls get what unlisted tokens get is left out. */
export function abisOf(space: Diagrams, root: Node): Abis {
  const intervals = intervalsOf(space, RANK_ARCH, root) as Interval[];
  const spans = intervals.map(({ from, node }, index) => ({
    token: from,
    node,
    size: (intervals[index + 1]?.from ?? LAST + 1) - from,
  }));
  const elsewhere = (spans.reduce((best, span) => (span.size > best.size ? span : best)) as (typeof spans)[0]).node;
  const known = new Set(ARCH_NAMES.map((arch) => ARCHES[arch].token));
  const strangers = spans.filter(({ token, node, size }) => node !== elsewhere && (size > 1 || !known.has(token)));
  const nodeOf = (token: number): Node => spans.findLast((span) => span.token <= token)?.node as Node;
  const arches = space.isLeaf(elsewhere) ? ARCH_NAMES : MACHINE;
  const abis = arches.flatMap((arch): Abi[] => {
    const ranges = rangesOf(space, arch, nodeOf(ARCHES[arch].token), elsewhere);
    return ranges.every(({ node }) => node === elsewhere) && space.isLeaf(elsewhere) ? [] : [{ arch, ranges }];
  });
  return { abis, elsewhere, strangers: strangers.map(({ token, size }) => ({ from: token, to: token + size - 1 })) };
}

function rangesOf(space: Diagrams, arch: ArchName, node: Node, elsewhere: Node): readonly NumberRange[] {
  const all = intervalsOf(space, RANK_NR, node) as Interval[];
  const ranges = all.map(({ from, node: at }, index) => ({
    from,
    to: (all[index + 1]?.from ?? LAST + 1) - 1,
    node: at,
  }));
  if (arch !== 'x86_64' && arch !== 'x32') return ranges;
  const x32 = within(ranges, X32_SYSCALL_BIT, NO_CALL - 1);
  // -1 is x86_64's where nothing else of x32 is there.
  const isListed = !space.isLeaf(elsewhere) || x32.some(({ node: at }) => at !== elsewhere);
  const noCall = within(ranges, NO_CALL, NO_CALL);
  if (arch === 'x32') return isListed ? [...x32, ...noCall] : [];
  const own = within(ranges, 0, X32_SYSCALL_BIT - 1);
  return isListed ? own : [...own, ...noCall.filter((each) => each.node !== elsewhere)];
}

function within(ranges: readonly NumberRange[], first: number, last: number): readonly NumberRange[] {
  return ranges.flatMap(({ from, to, node }) =>
    to < first || from > last ? [] : [{ from: Math.max(from, first), to: Math.min(to, last), node }],
  );
}
