import { type ArchName, NO_CALL } from '../../facts/arches.ts';
import { callReleases, compareReleases, syscallName } from '../../facts/syscalls.ts';
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

/** Oldest release that a policy is said to be made for. */
const OLDEST = '3.0';
/** A range of more numbers than this is not listed one by one. */
const MOST_NUMBERS = 5000;
/** What it costs to leave so many unsaid: there is no way that says them. */
const COST_OF_UNSAID = 1000;
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
  const leaves = new Set(abis.flatMap(({ ranges }) => ranges.map(({ node }) => node).filter((at) => space.isLeaf(at))));
  const lasts = new Set(abis.map(({ ranges }) => lastOf(ranges).node));
  const [newest] = lasts;
  const releases = newest !== undefined && lasts.size === 1 ? releasesOf(abis) : [];
  const ownBest = new Map(abis.map((abi) => [abi.arch, cheapestOwn(abi, leaves)]));
  let best: { cost: number; defaults: Defaults } | undefined;
  for (const node of leaves)
    for (const kernel of [undefined, ...releases]) {
      if (kernel !== undefined && (node === newest || isPermitted(space.action(node)))) continue;
      const shared = kernel === undefined || newest === undefined ? {} : { kernel, unknown: newest };
      const own = new Map<ArchName, Node>();
      let cost = kernel === undefined ? 0 : 0.5;
      for (const abi of abis) {
        const alone = ownBest.get(abi.arch);
        const together = costOf(abi, { default: node, ...shared });
        if (alone && alone.cost + COST_OF_OWN < together) own.set(abi.arch, alone.node);
        cost += Math.min(together, (alone?.cost ?? Number.POSITIVE_INFINITY) + COST_OF_OWN);
      }
      if (cost < (best?.cost ?? Number.POSITIVE_INFINITY)) best = { cost, defaults: { default: node, ...shared, own } };
    }
  return best?.defaults;
}

/** The leaf that, as the default of one ABI, leaves it the fewest rules. */
function cheapestOwn(abi: Abi, leaves: Iterable<Node>): { readonly node: Node; readonly cost: number } | undefined {
  const ways = [...leaves].map((node) => ({ node, cost: costOf(abi, { default: node }) }));
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

function costOf({ arch, ranges }: Abi, defaults: Omit<Defaults, 'own'>): number {
  const above = defaults.kernel === undefined ? Number.POSITIVE_INFINITY : aboveOf(arch, defaults.kernel);
  let cost = 0;
  for (const { from, to, node } of ranges) {
    if (node !== defaults.default && from <= above) cost += costOfNumbers(arch, from, Math.min(to, above));
    if (node !== (defaults.unknown ?? defaults.default) && to > above)
      cost += costOfNumbers(arch, Math.max(from, above + 1), to);
  }
  return cost;
}

function costOfNumbers(arch: ArchName, from: number, to: number): number {
  if (to - from >= MOST_NUMBERS) return COST_OF_UNSAID;
  let cost = 0;
  for (let nr = from; nr <= to; nr += 1) cost += syscallName(arch, nr) === undefined ? COST_OF_NAMELESS : 1;
  return cost;
}
