import {
  OFFSET_ARCH,
  OFFSET_ARGS,
  OFFSET_INSTRUCTION_POINTER,
  OFFSET_NR,
  SECCOMP_DATA_SIZE,
} from '../facts/seccomp.ts';

/**
 * The variables of diagrams: the bits of struct seccomp_data, in one fixed order.
 *
 *     rank 0 arch | 1 nr | 2, 3 ip high, low | 4, 5 args[0] high, low | ... | 14, 15 args[5] high, low
 *     variable = 32 * rank + 31 - bit                                 (the highest bit of a word comes first)
 *
 * High and low are those of little-endian machines. On others the two words of a value change places, which is as exact.
 */

export const WORD_BITS = 32;
export const RANK_ARCH = 0;
export const RANK_NR = 1;
const RANK_IP = 2;
const RANK_ARGS = 4;
export const RANK_COUNT: number = SECCOMP_DATA_SIZE / 4;

const RANKS: readonly number[] = Array.from({ length: RANK_COUNT }, (_, word) => {
  if (4 * word === OFFSET_NR) return RANK_NR;
  if (4 * word === OFFSET_ARCH) return RANK_ARCH;
  return word ^ 1;
});

/** Rank of the word at a byte offset of struct seccomp_data. */
export function rankOf(offset: number): number {
  return RANKS[offset / 4] as number;
}

/** Byte offset in struct seccomp_data of the word of a rank. */
export function offsetOf(rank: number): number {
  return 4 * RANKS.indexOf(rank);
}

/** Byte offset of a 64-bit value: an argument's index, or the instruction pointer. */
export function valueOffset(argument: number | 'ip'): number {
  return argument === 'ip' ? OFFSET_INSTRUCTION_POINTER : OFFSET_ARGS + 8 * argument;
}

/** The variable of a bit (0 is the lowest) of the word of a rank. */
export function variableOf(rank: number, bit: number): number {
  return WORD_BITS * rank + WORD_BITS - 1 - bit;
}

/** Rank of the first word of the 64-bit value that a word belongs to. */
export function valueRank(rank: number): number {
  return rank & ~1;
}

/** The value that the words of two ranks make up: the index of an argument, or the instruction pointer. */
export function argumentAt(rank: number): number | 'ip' {
  return valueRank(rank) === RANK_IP ? 'ip' : (valueRank(rank) - RANK_ARGS) / 2;
}
