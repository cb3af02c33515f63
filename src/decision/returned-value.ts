import { KNOWN_ACTIONS, SECCOMP_RET_KILL_PROCESS } from '../facts/seccomp.ts';
import { canonicalAction } from './actions.ts';
import { type Diagrams, FALSE, type Node, TRUE } from './diagrams.ts';
import type { Vector, Vectors } from './vectors.ts';

/** Most values that become leaves as they are. */
const MOST_VALUES = 4096;

const DATA_BITS = 16;

/** Every action, and between each two of them the least value that is none. */
const LEAST_VALUES: readonly number[] = KNOWN_ACTIONS.flatMap((action) => [action, action + 2 ** DATA_BITS]).slice(
  0,
  -1,
);

/**
 * The diagram of a value that a program returns. Its leaves are the value itself where there are at most 4,096 of them. Of more, those that the
 * kernel takes for the same are one: data that is not read is left out, an errno is at most MAX_ERRNO, and of actions that the kernel does not
 * know all between two that it knows, which are as strict as each other beside any filter. So a whole word of the call has some 135,000
 * leaves, not 2^32.
 *
 * @throws {CannotTellError} when it takes more than the limits of the space
 */
export function diagramOfValue(space: Diagrams, vectors: Vectors, value: Vector): Node {
  return diagramOfEach(space, value) ?? withData(space, value, diagramOfActions(space, vectors, value));
}

/** Undefined where there are too many. */
function diagramOfEach(space: Diagrams, value: Vector): Node | undefined {
  let count = 0;
  const walk = (bit: number, sofar: number, where: Node): Node | undefined => {
    if (bit < 0) {
      count += 1;
      return count > MOST_VALUES ? undefined : space.leaf(sofar);
    }
    const here = value.bits[bit] as Node;
    const set = space.and(where, here);
    if (set === FALSE) return walk(bit - 1, sofar, where);
    const high = walk(bit - 1, (sofar | (1 << bit)) >>> 0, set);
    if (set === where || high === undefined) return high;
    const low = walk(bit - 1, sofar, space.and(where, space.not(here)));
    return low === undefined ? undefined : space.choose(here, high, low);
  };
  return walk(31, 0, TRUE);
}

function diagramOfActions(space: Diagrams, vectors: Vectors, value: Vector): Node {
  const sign = vectors.constant(SECCOMP_RET_KILL_PROCESS);
  const order = vectors.xor(value, sign);
  return LEAST_VALUES.reduce((lower, least) => {
    const isReached = vectors.atLeast(order, vectors.xor(vectors.constant(least), sign));
    return space.choose(isReached, space.leaf(least), lower);
  }, FALSE);
}

/** Adds data bit by bit to the actions that have some. */
function withData(space: Diagrams, value: Vector, actions: Node): Node {
  let result = actions;
  for (let bit = DATA_BITS - 1; bit >= 0; bit -= 1) {
    const set = value.bits[bit] as Node;
    if (set !== FALSE)
      result = space.combine(result, set, (sofar, isSet) => (isSet === TRUE ? withBit(space, sofar, bit) : sofar));
  }
  return result;
}

function withBit(space: Diagrams, leaf: Node, bit: number): Node {
  const action = space.action(leaf);
  const more = canonicalAction((action | (1 << bit)) >>> 0);
  return more === SECCOMP_RET_KILL_PROCESS ? leaf : space.leaf(more);
}
