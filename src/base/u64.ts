/** 64-bit values: `bigint` at the edges, two unsigned 32-bit halves inside. */

export const U32_MAX: bigint = 0xffff_ffffn;
export const U64_MAX: bigint = 0xffff_ffff_ffff_ffffn;

/** High 32 bits as an unsigned number. */
export function highHalf(value: bigint): number {
  return Number((value >> 32n) & U32_MAX);
}

/** Low 32 bits as an unsigned number. */
export function lowHalf(value: bigint): number {
  return Number(value & U32_MAX);
}

/** Joins two unsigned 32-bit halves. */
export function joinHalves(high: number, low: number): bigint {
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}
