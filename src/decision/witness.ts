import { joinHalves } from '../base/u64.ts';
import { isLittleEndian } from '../facts/arches.ts';
import {
  OFFSET_ARCH,
  OFFSET_ARGS,
  OFFSET_INSTRUCTION_POINTER,
  OFFSET_NR,
  SECCOMP_DATA_SIZE,
  type SeccompData,
} from '../facts/seccomp.ts';
import { type Diagrams, FALSE, type Node } from './diagrams.ts';
import { offsetOf, RANK_COUNT, WORD_BITS } from './words.ts';

/**
 * A call that leads to a leaf that is wanted; undefined: there is none. Bits that do not matter are 0, and so are others where they may be.
 *
 * @param isWanted - absent: any leaf but FALSE
 */
export function findCall(
  space: Diagrams,
  node: Node,
  isWanted: (leaf: Node) => boolean = (leaf) => leaf !== FALSE,
): SeccompData | undefined {
  const words = new Uint32Array(RANK_COUNT);
  const failed = new Set<Node>();
  const walk = (at: Node): boolean => {
    if (space.isLeaf(at)) return isWanted(at);
    if (failed.has(at)) return false;
    if (walk(space.low(at))) return true;
    if (walk(space.high(at))) {
      const bit = WORD_BITS - 1 - (space.variable(at) % WORD_BITS);
      words[space.rank(at)] = ((words[space.rank(at)] as number) | (1 << bit)) >>> 0;
      return true;
    }
    failed.add(at);
    return false;
  };
  return walk(node) ? callOf(words) : undefined;
}

/** The call whose words are those of each rank. */
function callOf(ranked: Uint32Array): SeccompData {
  const words = new Uint32Array(SECCOMP_DATA_SIZE / 4);
  ranked.forEach((word, rank) => {
    words[offsetOf(rank) / 4] = word;
  });
  const arch = words[OFFSET_ARCH / 4] as number;
  const lowFirst = isLittleEndian(arch);
  const value = (offset: number): bigint => {
    const [first, second] = [words[offset / 4] as number, words[offset / 4 + 1] as number];
    return lowFirst ? joinHalves(second, first) : joinHalves(first, second);
  };
  return {
    nr: words[OFFSET_NR / 4] as number,
    arch,
    instructionPointer: value(OFFSET_INSTRUCTION_POINTER),
    args: [0, 1, 2, 3, 4, 5].map((index) => value(OFFSET_ARGS + 8 * index)),
  };
}
