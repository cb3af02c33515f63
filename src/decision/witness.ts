import { highHalf, joinHalves, lowHalf } from '../base/u64.ts';
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
import { offsetOf, RANK_ARCH, RANK_COUNT, RANK_NR, rankOf, WORD_BITS } from './words.ts';

/**
 * A call that leads to a leaf that is wanted; undefined: there is none. Bits that do not matter are 0, and so are others where they may be.
 *
 * @param isWanted - absent: any leaf but FALSE
 * @param call - what is known of the call already, for diagrams that look at arguments only
 */
export function findCall(
  space: Diagrams,
  node: Node,
  isWanted: (leaf: Node) => boolean = (leaf) => leaf !== FALSE,
  call: Partial<Pick<SeccompData, 'arch' | 'nr'>> = {},
): SeccompData | undefined {
  const words = new Uint32Array(RANK_COUNT);
  words[RANK_ARCH] = call.arch ?? 0;
  words[RANK_NR] = call.nr ?? 0;
  const failed = new Set<Node>();
  const walk = (at: Node): boolean => {
    if (space.isLeaf(at)) return isWanted(at);
    if (failed.has(at)) return false;
    space.count();
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

/** The leaf that a call leads to. */
export function evaluate(space: Diagrams, node: Node, call: SeccompData): Node {
  const words = rankedWords(call);
  let at = node;
  while (!space.isLeaf(at)) {
    const bit = WORD_BITS - 1 - (space.variable(at) % WORD_BITS);
    const isSet = (((words[space.rank(at)] as number) >>> bit) & 1) === 1;
    at = isSet ? space.high(at) : space.low(at);
  }
  return at;
}

function rankedWords({ nr, arch, instructionPointer, args }: SeccompData): Uint32Array {
  const words = new Uint32Array(RANK_COUNT);
  words[RANK_NR] = nr;
  words[RANK_ARCH] = arch;
  const lowFirst = isLittleEndian(arch);
  [instructionPointer, ...args].forEach((value, index) => {
    const offset = index === 0 ? OFFSET_INSTRUCTION_POINTER : OFFSET_ARGS + 8 * (index - 1);
    words[rankOf(lowFirst ? offset : offset + 4)] = lowHalf(value);
    words[rankOf(lowFirst ? offset + 4 : offset)] = highHalf(value);
  });
  return words;
}

/** The call whose words are those of each rank. */
export function callOf(ranked: Uint32Array): SeccompData {
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
