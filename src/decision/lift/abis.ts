import { ARCH_NAMES, ARCHES, type ArchName, NO_CALL, X32_SYSCALL_BIT } from '../../facts/arches.ts';
import { type Numbers, numbersOf } from '../../policy/ranges.ts';
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

/** Takes a diagram apart: an ABI all of whose calls get what unlisted tokens get is left out, but for x86_64 where that depends on the call. */
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
  const others = numberRanges(space, elsewhere);
  const abis = ARCH_NAMES.flatMap((arch): Abi[] => {
    const ranges = rangesOf(arch, numberRanges(space, nodeOf(ARCHES[arch].token)), others);
    const own = numbersOf(arch);
    const isListed = isDifferent(ranges, others, own) || (arch === 'x86_64' && !space.isLeaf(elsewhere));
    return isListed ? [{ arch, ranges }] : [];
  });
  return { abis, elsewhere, strangers: strangers.map(({ token, size }) => ({ from: token, to: token + size - 1 })) };
}

/** Ranges of all numbers: what each leads to. */
export function numberRanges(space: Diagrams, node: Node): readonly NumberRange[] {
  const all = intervalsOf(space, RANK_NR, node) as Interval[];
  return all.map(({ from, node: at }, index) => ({ from, to: (all[index + 1]?.from ?? LAST + 1) - 1, node: at }));
}

function rangesOf(
  arch: ArchName,
  ranges: readonly NumberRange[],
  others: readonly NumberRange[],
): readonly NumberRange[] {
  if (arch !== 'x86_64' && arch !== 'x32') return ranges;
  // -1 is x86_64's where nothing else of x32 is there.
  const isListed = isDifferent(ranges, others, { from: X32_SYSCALL_BIT, to: NO_CALL - 1 });
  if (arch === 'x32')
    return isListed ? within(ranges, X32_SYSCALL_BIT, NO_CALL) : within(others, X32_SYSCALL_BIT, NO_CALL);
  const noCall = { from: NO_CALL, to: NO_CALL };
  const hasNoCall = !isListed && isDifferent(ranges, others, noCall);
  return [...within(ranges, 0, X32_SYSCALL_BIT - 1), ...(hasNoCall ? within(ranges, NO_CALL, NO_CALL) : [])];
}

function isDifferent(left: readonly NumberRange[], right: readonly NumberRange[], { from, to }: Numbers): boolean {
  const [own, other] = [within(left, from, to), within(right, from, to)];
  return own.length !== other.length || own.some((each, index) => !isSame(each, other[index] as NumberRange));
}

function isSame(left: NumberRange, right: NumberRange): boolean {
  return left.from === right.from && left.to === right.to && left.node === right.node;
}

function within(ranges: readonly NumberRange[], first: number, last: number): readonly NumberRange[] {
  return ranges.flatMap(({ from, to, node }) =>
    to < first || from > last ? [] : [{ from: Math.max(from, first), to: Math.min(to, last), node }],
  );
}
