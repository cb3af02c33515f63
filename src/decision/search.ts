import type { Program } from '../bpf/instruction.ts';
import { interpret } from '../bpf/interpret.ts';
import { SECCOMP_RET_ACTION_FULL, SECCOMP_RET_ALLOW, type SeccompData } from '../facts/seccomp.ts';
import { canonicalAction } from './actions.ts';
import { CannotTellError } from './cannot-tell.ts';
import { Diagrams, type Limits, type Node } from './diagrams.ts';
import { isProbeCall } from './probe.ts';
import { diagramOfStack } from './stack.ts';
import { callOf } from './witness.ts';
import { RANK_COUNT, WORD_BITS } from './words.ts';

/** For the diagrams by which calls are chosen: some 0.1 s. Filters that people write take a tenth. */
const LIMITS: Limits = { nodes: 1 << 18, steps: 1 << 20 };

/** Most instructions that are executed by one diagram: some 0.1 s. */
const MOST_EXECUTED = 2_000_000;

/** What filters of one process do with a call, as `canonicalAction` writes it; they are given as to `combineFilters`. */
export function actionOfStack(newestFirst: readonly Program[], call: SeccompData): number {
  return canonicalAction(run(newestFirst, call).action);
}

/**
 * A call that two stacks of filters treat differently, found by running both on calls of every way through the diagram of one of them.
 * That none is found proves nothing. The probe call is not among them.
 */
export function searchDifference(left: readonly Program[], right: readonly Program[]): SeccompData | undefined {
  for (const stack of [left, right]) {
    let executed = 0;
    for (const call of callsOfEveryNode(stack)) {
      const [a, b] = [run(left, call), run(right, call)];
      if (canonicalAction(a.action) !== canonicalAction(b.action) && !isProbeCall(call)) return call;
      executed += a.steps + b.steps + 1;
      if (executed > MOST_EXECUTED) break;
    }
  }
  return undefined;
}

function run(newestFirst: readonly Program[], call: SeccompData): { action: number; steps: number } {
  let result = { action: SECCOMP_RET_ALLOW, steps: 0 };
  for (const program of newestFirst) {
    const { action, steps } = interpret(program, call);
    const isStricter = (action & SECCOMP_RET_ACTION_FULL) < (result.action & SECCOMP_RET_ACTION_FULL);
    result = { action: isStricter ? action : result.action, steps: result.steps + steps };
  }
  return result;
}

/** Calls without end, each on a way through another node of the diagram of a stack, behind it at random; none where there is no diagram. */
function* callsOfEveryNode(stack: readonly Program[]): Generator<SeccompData> {
  const space = new Diagrams(LIMITS);
  const random = sequence();
  const nodes = nodesOf(space, stack);
  const parents = parentsOf(space, nodes);
  while (nodes.length > 0)
    for (const node of nodes) {
      const words = Uint32Array.from({ length: RANK_COUNT }, () => (random() % 4 === 0 ? random() : 0));
      const go = (from: Node, isSet: boolean): void => setBit(words, space.variable(from), isSet);
      for (let at = node, parent = parents.get(at); parent !== undefined; at = parent, parent = parents.get(at))
        go(parent, space.high(parent) === at);
      for (let at = node; !space.isLeaf(at); ) {
        const isSet = random() % 2 === 1;
        go(at, isSet);
        at = isSet ? space.high(at) : space.low(at);
      }
      yield callOf(words);
    }
}

function nodesOf(space: Diagrams, stack: readonly Program[]): readonly Node[] {
  try {
    return space.reachable(diagramOfStack(space, stack));
  } catch (error) {
    if (error instanceof CannotTellError) return [];
    throw error;
  }
}

/** A way back from each node. */
function parentsOf(space: Diagrams, nodes: readonly Node[]): ReadonlyMap<Node, Node> {
  const inner = nodes.filter((node) => !space.isLeaf(node));
  return new Map(inner.flatMap((node) => [[space.low(node), node] as const, [space.high(node), node] as const]));
}

function setBit(words: Uint32Array, variable: number, isSet: boolean): void {
  const rank = Math.floor(variable / WORD_BITS);
  const bit = 1 << (WORD_BITS - 1 - (variable % WORD_BITS));
  words[rank] = isSet ? (words[rank] as number) | bit : (words[rank] as number) & ~bit;
}

/** Pseudo-random unsigned 32-bit numbers, always the same (xorshift, Marsaglia 2003). */
function sequence(): () => number {
  let state = 0x9e37_79b1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}
