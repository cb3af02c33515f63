import type { Diagrams, Node } from '../decision/diagrams.ts';
import { type Interval, intervalsOf } from '../decision/intervals.ts';
import { offsetOf, RANK_ARCH, RANK_NR } from '../decision/words.ts';
import { ArgumentTests } from './argument-tests.ts';
import { comparisonTree } from './comparison-tree.ts';
import { ALL_BITS, type Decision, Decisions } from './decision.ts';
import type { Weights } from './weights.ts';

/** Chooses the tests that decide what a diagram decides: the token first, then the number, then arguments. */
export function lowerDiagram(space: Diagrams, root: Node, weights: Weights): Decision {
  const decisions = new Decisions();
  const tests = new ArgumentTests(space, decisions);
  const numbers = (node: Node, token: number): Decision => {
    const intervals = space.rank(node) === RANK_NR ? (intervalsOf(space, RANK_NR, node) as Interval[]) : undefined;
    if (!intervals) return tests.decision(node);
    const ranges = intervals.map(({ from, node: at }, index) => {
      const to = (intervals[index + 1]?.from ?? ALL_BITS + 1) - 1;
      return { from, decision: tests.decision(at), weight: weights.ofNumbers(token, from, to) };
    });
    return comparisonTree(decisions, { offset: offsetOf(RANK_NR), mask: ALL_BITS }, ranges);
  };
  const intervals = intervalsOf(space, RANK_ARCH, root) as Interval[];
  const ranges = intervals.map(({ from, node }, index) => {
    const isToken = (intervals[index + 1]?.from ?? ALL_BITS + 1) - from === 1;
    return { from, decision: numbers(node, from), weight: isToken ? weights.ofToken(from) : weights.ofToken(0) };
  });
  return comparisonTree(decisions, { offset: offsetOf(RANK_ARCH), mask: ALL_BITS }, ranges);
}
