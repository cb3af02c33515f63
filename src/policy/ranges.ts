import { PolicyError } from '../base/errors.ts';
import { type ArchName, X32_SYSCALL_BIT } from '../facts/arches.ts';
import { printAction } from './action.ts';
import type { Rule } from './model.ts';
import type { ResolvedRange, ResolvedRule } from './resolved.ts';
import { describeRule } from './source.ts';

/** Numbers from `from` to `to`, both included. */
export interface Numbers {
  readonly from: number;
  readonly to: number;
}

export const ALL_NUMBERS: Numbers = { from: 0, to: 0xffff_ffff };

/** The numbers of an ABI that ranges are cut to: x86_64 and x32 share a token, and the bit tells them apart. */
export function numbersOf(arch: ArchName): Numbers {
  if (arch === 'x86_64') return { from: 0, to: X32_SYSCALL_BIT - 1 };
  return arch === 'x32' ? { from: X32_SYSCALL_BIT, to: ALL_NUMBERS.to } : ALL_NUMBERS;
}

/** Whether a range has numbers of an ABI. */
export function hasNumbers({ from, to }: Numbers, arch: ArchName): boolean {
  const own = numbersOf(arch);
  return from <= own.to && to >= own.from;
}

/**
 * Rules of ranges, cut so that none lies in another: ascending, of two that overlap the one that begins first or goes further.
 *
 * @param own - numbers that they are cut to
 * @throws {PolicyError} `conflict` where two that overlap have different actions
 */
export function resolveRanges(
  rules: readonly Rule[],
  own: Numbers,
  resolve: (rule: Rule) => ResolvedRule,
): readonly ResolvedRange[] {
  const found = rules.flatMap((rule) => {
    if (rule.call.kind !== 'range') return [];
    const from = Math.max(rule.call.from, own.from);
    const to = Math.min(rule.call.to, own.to);
    return from > to ? [] : [{ from, to, rule: resolve(rule) }];
  });
  found.sort((left, right) => left.from - right.from || right.to - left.to);
  const ranges: ResolvedRange[] = [];
  // What overlaps an earlier range overlaps the one that goes furthest, or that one overlaps the earlier one.
  let furthest: ResolvedRange | undefined;
  for (const range of found) {
    if (furthest && furthest.to >= range.from && furthest.rule.action !== range.rule.action) refuse(furthest, range);
    const from = Math.max(range.from, (furthest?.to ?? -1) + 1);
    if (from <= range.to) ranges.push({ ...range, from });
    if (!furthest || range.to > furthest.to) furthest = range;
  }
  return ranges;
}

function refuse(left: ResolvedRange, right: ResolvedRange): never {
  const [first, second] = [left.rule.rule, right.rule.rule].sort((a, b) => lineOf(a) - lineOf(b)) as [Rule, Rule];
  const other = `${printAction(first.action)} by ${describeRule(first, second.place)}`;
  const problem = `syscall(${right.from}) gets ${printAction(second.action)} here, but ${other}`;
  throw new PolicyError('conflict', `${problem}: leave one out, or make the ranges shorter`, second.place);
}

function lineOf({ place }: Rule): number {
  return place?.line ?? 0;
}

/** The range that has a number. */
export function rangeAt(ranges: readonly ResolvedRange[], nr: number): ResolvedRange | undefined {
  let [low, high] = [0, ranges.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ranges[middle] as ResolvedRange).to < nr) low = middle + 1;
    else high = middle;
  }
  const range = ranges[low];
  return range && range.from <= nr ? range : undefined;
}
