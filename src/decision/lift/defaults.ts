import { type ArchName, NO_CALL } from '../../facts/arches.ts';
import { callReleases, compareReleases, syscallNames, syscallNumber } from '../../facts/syscalls.ts';
import { isPermitted } from '../actions.ts';
import type { Diagrams, Node } from '../diagrams.ts';
import type { Abi, NumberRange } from './abis.ts';

/** What calls without rules get: `unknown` beyond the numbers of release `kernel`, else `default`. */
export interface Defaults {
  readonly default: Node;
  readonly kernel?: string;
  readonly unknown?: Node;
  /** ABIs with a default of their own, for newer numbers too. */
  readonly own: ReadonlyMap<ArchName, Node>;
}

const LAST = 0xffff_ffff;
/** Oldest release that a policy is said to be made for. */
const OLDEST = '3.0';
/** A range of more numbers than this is not listed one by one. */
const MOST_NUMBERS = 5000;
/** What it costs to leave so many unsaid whose action depends on arguments, or to give those that no kernel has yet a rule: no list of what is open may become one of what is not. */
const COST_OF_UNSAID = 1000;
/** What it costs to say so many as a range. */
const COST_OF_RANGE = 20;
/** Of so many leaves the best default is chosen: of a program with thousands none is common. */
const MOST_DEFAULTS = 16;
/** What a default of its own costs an ABI. */
const COST_OF_OWN = 3;
/** What a number without a name costs, as a rule by number. */
const COST_OF_NAMELESS = 1.1;

/**
 * The defaults that leave the fewest numbers unsaid and the fewest rules to write; undefined where no calls get the same whatever their
 * arguments. What is permitted by default
 * only where numbers that no kernel has yet are permitted too: an allow-list is never turned into a deny-list.
 */
export function bestDefaults(space: Diagrams, abis: readonly Abi[]): Defaults | undefined {
  const leaves = commonest(space, abis);
  const lasts = new Set(abis.map(({ ranges }) => lastOf(ranges).node));
  const [newest] = lasts;
  const releases = newest !== undefined && lasts.size === 1 ? releasesOf(abis) : [];
  const ownBest = new Map(abis.map((abi) => [abi.arch, cheapestOwn(space, abi, leaves)]));
  let best: { cost: number; defaults: Defaults } | undefined;
  for (const node of leaves)
    for (const kernel of [undefined, ...releases]) {
      if (kernel !== undefined && (node === newest || isPermitted(space.action(node)))) continue;
      const shared = kernel === undefined || newest === undefined ? {} : { kernel, unknown: newest };
      const own = new Map<ArchName, Node>();
      let cost = kernel === undefined ? 0 : 0.5;
      for (const abi of abis) {
        const alone = ownBest.get(abi.arch);
        const together = costOf(space, abi, { default: node, ...shared });
        if (alone && alone.cost + COST_OF_OWN < together) own.set(abi.arch, alone.node);
        cost += Math.min(together, (alone?.cost ?? Number.POSITIVE_INFINITY) + COST_OF_OWN);
      }
      if (cost < (best?.cost ?? Number.POSITIVE_INFINITY)) best = { cost, defaults: { default: node, ...shared, own } };
    }
  return best?.defaults;
}

/** The leaves that most numbers get, and the last range of each ABI: any other leaf would leave more rules. */
function commonest(space: Diagrams, abis: readonly Abi[]): ReadonlySet<Node> {
  const counts = new Map<Node, number>();
  for (const { from, to, node } of abis.flatMap(({ ranges }) => ranges))
    if (space.isLeaf(node)) counts.set(node, (counts.get(node) ?? 0) + Math.min(to - from + 1, MOST_NUMBERS));
  const sorted = [...counts].sort(([, left], [, right]) => right - left).map(([node]) => node);
  const lasts = abis.map(({ ranges }) => lastOf(ranges).node).filter((node) => space.isLeaf(node));
  return new Set([...sorted.slice(0, MOST_DEFAULTS), ...lasts]);
}

/** The leaf that, as the default of one ABI, leaves it the fewest rules. */
function cheapestOwn(
  space: Diagrams,
  abi: Abi,
  leaves: Iterable<Node>,
): { readonly node: Node; readonly cost: number } | undefined {
  const ways = [...leaves].map((node) => ({ node, cost: costOf(space, abi, { default: node }) }));
  return ways.reduce<(typeof ways)[0] | undefined>(
    (least, way) => (way.cost < (least?.cost ?? Number.POSITIVE_INFINITY) ? way : least),
    undefined,
  );
}

/** What a number gets that no rule names. */
export function withoutRule(arch: ArchName, nr: number, defaults: Defaults): Node {
  const { kernel, unknown, own } = defaults;
  const alone = own.get(arch);
  if (alone !== undefined) return alone;
  if (kernel === undefined || unknown === undefined || nr <= aboveOf(arch, kernel)) return defaults.default;
  return unknown;
}

/** The largest number of an ABI that `default` is for; beyond it `unknown` is. */
export function lastKnown(arch: ArchName, { kernel, own }: Defaults): number {
  return kernel === undefined || own.has(arch) ? LAST : aboveOf(arch, kernel);
}

function aboveOf(arch: ArchName, kernel: string): number {
  return callReleases(arch).findLast(({ release }) => compareReleases(release, kernel) <= 0)?.largest ?? -1;
}

/** The range beyond all calls; -1 is none. */
function lastOf(ranges: readonly NumberRange[]): NumberRange {
  return ranges.findLast(({ from }) => from !== NO_CALL) as NumberRange;
}

function releasesOf(abis: readonly Abi[]): readonly string[] {
  const all = new Set(abis.flatMap(({ arch }) => callReleases(arch).map(({ release }) => release)));
  const usable = [...all].filter((release) => abis.every(({ arch }) => aboveOf(arch, release) >= 0));
  return usable.filter((release) => compareReleases(release, OLDEST) >= 0).sort((a, b) => compareReleases(b, a));
}

function costOf(space: Diagrams, { arch, ranges }: Abi, defaults: Omit<Defaults, 'own'>): number {
  const above = defaults.kernel === undefined ? Number.POSITIVE_INFINITY : aboveOf(arch, defaults.kernel);
  let cost = 0;
  space.count(ranges.length);
  const last = lastOf(ranges);
  for (const range of ranges) {
    const { from, to, node } = range;
    const costOfMany = range !== last && space.isLeaf(node) ? COST_OF_RANGE : COST_OF_UNSAID;
    if (node !== defaults.default && from <= above) cost += costOfNumbers(arch, from, Math.min(to, above), costOfMany);
    if (node !== (defaults.unknown ?? defaults.default) && to > above)
      cost += costOfNumbers(arch, Math.max(from, above + 1), to, costOfMany);
  }
  return cost;
}

function costOfNumbers(arch: ArchName, from: number, to: number, costOfMany: number): number {
  if (to - from >= MOST_NUMBERS) return costOfMany;
  const named = namedBelow(arch, to + 1) - namedBelow(arch, from);
  return named + COST_OF_NAMELESS * (to - from + 1 - named);
}

const named = new Map<ArchName, readonly number[]>();

/** How many numbers below a limit have a name. */
function namedBelow(arch: ArchName, limit: number): number {
  const numbers = named.get(arch) ?? numbersOf(arch);
  let [low, high] = [0, numbers.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((numbers[middle] as number) < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** All numbers of an ABI that have a name, ascending. */
function numbersOf(arch: ArchName): readonly number[] {
  const numbers = syscallNames(arch).map((name) => syscallNumber(arch, name) as number);
  const sorted = [...new Set(numbers)].sort((a, b) => a - b);
  named.set(arch, sorted);
  return sorted;
}
