import type { ArchName } from '../../facts/arches.ts';
import { actionOf } from '../../policy/action.ts';
import type { Call, Rule } from '../../policy/model.ts';
import { type Diagrams, FALSE, type Node, TRUE } from '../diagrams.ts';
import { wordsOf } from './condition.ts';

/** Rules of one call, and what they cannot say. */
export interface CallRules {
  readonly rules: readonly Rule[];
  readonly problem?: string;
}

/**
 * Rules by which a call gets what its diagram says. Calls that none of them matches get `fallback` (the policy's default): the
 * outcome that would be hardest to put into words is left to an unconditional rule, or to the default.
 *
 * @param name - of the call; undefined where the rules are by number
 */
export function rulesOfCall(
  space: Diagrams,
  node: Node,
  arch: ArchName,
  nr: number,
  name: string | undefined,
  fallback: Node,
): CallRules {
  const call: Call = name === undefined ? { kind: 'number', number: nr } : { kind: 'name', name };
  const rule = (leaf: Node): Rule => ({ action: actionOf(space.action(leaf), arch), call });
  if (space.isLeaf(node)) return { rules: [rule(node)] };
  const leaves = space.reachable(node).filter((at) => space.isLeaf(at));
  const parts = leaves.map((leaf) => {
    const where = space.mapLeaves(node, (at) => (at === leaf ? TRUE : FALSE));
    return { leaf, words: wordsOf(space, where, arch, name) };
  });
  const ways = parts.map((rest) => {
    const others = parts.filter((part) => part !== rest);
    const cost = others.reduce((sum, { words }) => sum + 1 + (words?.cost ?? Number.POSITIVE_INFINITY), 0);
    return { rest, others, cost: cost + (rest.leaf === fallback ? 0 : 2) };
  });
  const best = ways.reduce((least, way) => (way.cost < least.cost ? way : least));
  if (!Number.isFinite(best.cost))
    return {
      rules: [],
      problem: `what ${name ?? `number ${nr}`} of ${arch} gets cannot be said in few tests of its arguments`,
    };
  const conditional = best.others.flatMap(({ leaf, words }) =>
    words ? [{ ...rule(leaf), condition: words.condition }] : [],
  );
  return { rules: best.rest.leaf === fallback ? conditional : [...conditional, rule(best.rest.leaf)] };
}
