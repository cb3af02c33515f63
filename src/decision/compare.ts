import { ARCH_NAMES, ARCHES, type ArchName, X32_SYSCALL_BIT } from '../facts/arches.ts';
import type { SeccompData } from '../facts/seccomp.ts';
import { syscallName } from '../facts/syscalls.ts';
import type { Condition } from '../policy/model.ts';
import { canonical, permitted } from './actions.ts';
import { type Diagrams, FALSE, type Node, TRUE } from './diagrams.ts';
import { type Interval, intervalsOf } from './intervals.ts';
import { wordsOf } from './lift/condition.ts';
import { answeringProbe, PROBE_ANSWERS, probeCall } from './probe.ts';
import { swapWords } from './swap-words.ts';
import { evaluate, findCall } from './witness.ts';
import { RANK_ARCH, RANK_NR } from './words.ts';

/** Calls that two filters treat differently. */
export interface Difference {
  /** Absent: tokens that are no ABI that we know. */
  readonly arch: ArchName | undefined;
  /** Numbers from `first` to `last`. */
  readonly first: number;
  readonly last: number;
  /** Where it is one number with a name. */
  readonly name: string | undefined;
  /** Which calls; absent: whatever the arguments are. `isExact`: false where the condition would be too long to read. */
  readonly condition: Condition | undefined;
  readonly isExact: boolean;
  /** What each of them returns, as `canonicalAction` writes it. */
  readonly left: number;
  readonly right: number;
  readonly example: SeccompData;
}

/** What a difference costs beside its diagrams, in steps. */
const DIFFERENCE_STEPS = 30;

/** Two filters prepared for comparison: the same calls get the same exactly when they are the same node. */
export type Pair = readonly [left: Node, right: Node];

/**
 * Brings two filters into one way of writing. If one of them answers Selkie's probe call, which programs make only to see whether
 * their filter is in force, that call counts for neither.
 */
export function comparable(space: Diagrams, left: Node, right: Node): Pair {
  const pair: Pair = [canonical(space, left), canonical(space, right)];
  const answers = PROBE_ANSWERS.map((action) => space.leaf(action));
  const answered = ARCH_NAMES.filter((arch) => {
    const call = probeCall(arch);
    return call && pair.some((node) => answers.includes(evaluate(space, node, call)));
  });
  return [answeringProbe(space, pair[0], answered), answeringProbe(space, pair[1], answered)];
}

/** The calls that they treat differently, as a boolean diagram. */
export function differing(space: Diagrams, [left, right]: Pair): Node {
  return space.combine(left, right, (a, b) => (a === b ? FALSE : TRUE));
}

/** Whether the right one permits all that the left one permits. */
export function isSubset(space: Diagrams, [left, right]: Pair): boolean {
  return space.and(permitted(space, left), space.not(permitted(space, right))) === FALSE;
}

/**
 * All calls that they treat differently, by ABI and number; those of unknown tokens last, as one.
 *
 * @throws {CannotTellError} where to tell them takes more than the limits of the space
 */
export function differences(space: Diagrams, pair: Pair): Difference[] {
  const found: Difference[] = [];
  let elsewhere: Difference | undefined;
  for (const { first: token, last, nodes } of common(space, RANK_ARCH, pair)) {
    const arches = ARCH_NAMES.filter((arch) => ARCHES[arch].token >= token && ARCHES[arch].token <= last);
    const tokens = new Set(arches.map((arch) => ARCHES[arch].token));
    for (const each of tokens) found.push(...ofToken(space, each, nodes));
    if (last - token + 1 > tokens.size) elsewhere ??= ofStrangers(space, token, nodes);
  }
  return elsewhere ? [...found, elsewhere] : found;
}

/** Stretches of a word's values on which two diagrams lead to different places. */
function common(space: Diagrams, rank: number, pair: Pair): { first: number; last: number; nodes: Pair }[] {
  const lists = pair.map((node) => intervalsOf(space, rank, node) as Interval[]) as [Interval[], Interval[]];
  const starts = [...new Set(lists.flat().map(({ from }) => from))].sort((a, b) => a - b);
  const at = [0, 0];
  return starts.flatMap((first, index) => {
    const nodes = lists.map((list, side) => {
      while ((list[(at[side] as number) + 1]?.from ?? Number.POSITIVE_INFINITY) <= first) (at[side] as number)++;
      return (list[at[side] as number] as Interval).node;
    }) as [Node, Node];
    const last = (starts[index + 1] ?? 2 ** 32) - 1;
    return nodes[0] === nodes[1] ? [] : [{ first, last, nodes }];
  });
}

function ofToken(space: Diagrams, token: number, pair: Pair): Difference[] {
  return common(space, RANK_NR, pair).flatMap(({ first, last, nodes }) => {
    const middle = X32_SYSCALL_BIT;
    const isSplit = token === ARCHES.x32.token && first < middle && last >= middle;
    const parts = isSplit ? [[first, middle - 1] as const, [middle, last] as const] : [[first, last] as const];
    return parts.flatMap(([from, to]) => ofNumbers(space, archOf(token, from) as ArchName, from, to, nodes));
  });
}

/** The ABI of a call; undefined: none that we know. */
export function archOf(token: number, nr: number): ArchName | undefined {
  if (token === ARCHES.x32.token) return nr >= X32_SYSCALL_BIT ? 'x32' : 'x86_64';
  return ARCH_NAMES.find((arch) => ARCHES[arch].token === token);
}

function ofNumbers(space: Diagrams, arch: ArchName, first: number, last: number, nodes: Pair): Difference[] {
  space.count(DIFFERENCE_STEPS);
  const { littleEndian, token } = ARCHES[arch];
  const pair = littleEndian ? nodes : (nodes.map((node) => swapWords(space, node)) as [Node, Node]);
  const name = first === last ? syscallName(arch, first) : undefined;
  return outcomes(space, pair).map(({ left, right, where }) => {
    const words = where === TRUE ? undefined : wordsOf(space, where, arch, name);
    const found = findCall(space, littleEndian ? where : swapWords(space, where), undefined, {
      arch: token,
      nr: first,
    });
    const example = found as SeccompData;
    const isExact = where === TRUE || words !== undefined;
    return { arch, first, last, name, condition: words?.condition, isExact, left, right, example };
  });
}

function ofStrangers(space: Diagrams, token: number, pair: Pair): Difference {
  const example = findCall(space, differing(space, pair), undefined, { arch: token }) as SeccompData;
  const [left, right] = pair.map((node) => space.action(evaluate(space, node, example))) as [number, number];
  return {
    arch: undefined,
    first: 0,
    last: 0xffff_ffff,
    name: undefined,
    condition: undefined,
    isExact: false,
    left,
    right,
    example,
  };
}

/** The different pairs of answers, each with the calls that get it. */
function outcomes(space: Diagrams, [left, right]: Pair): { left: number; right: number; where: Node }[] {
  const pairs: Pair[] = [];
  const known = new Map<string, number>();
  const numbered = space.combine(left, right, (a, b) => {
    const index = known.get(`${a} ${b}`) ?? pairs.push([a, b]) - 1;
    known.set(`${a} ${b}`, index);
    return space.leaf(index);
  });
  return pairs.flatMap(([a, b], index) => {
    if (a === b) return [];
    const where = space.mapLeaves(numbered, (leaf) => (space.action(leaf) === index ? TRUE : FALSE));
    return [{ left: space.action(a), right: space.action(b), where }];
  });
}
