/** Bytes of the longest call that is looked for, without prefixes. */
export const LONGEST_CALL = 7;

/** Whether bytes end in a call of x86-64, near and through whatever operand. Source: Intel SDM volume 2, CALL (E8 rel32, FF /2), and its ModRM table. */
export function endsInCall(bytes: Uint8Array): boolean {
  const from = (back: number): number => bytes[bytes.length - back] ?? 0;
  if (from(5) === 0xe8) return true;
  // The length that ModRM and SIB give an FF /2 is the one that reaches the end.
  for (const size of [2, 3, 4, 6, 7])
    if (from(size) === 0xff && callSize(from(size - 1), from(size - 2)) === size) return true;
  return false;
}

function callSize(modrm: number, sib: number): number | undefined {
  if (((modrm >> 3) & 7) !== 2) return undefined;
  const [mod, rm] = [modrm >> 6, modrm & 7];
  if (mod === 3) return 2;
  const hasSib = rm === 4;
  const isWide = mod === 2 || (mod === 0 && (rm === 5 || (hasSib && (sib & 7) === 5)));
  return 2 + (hasSib ? 1 : 0) + (isWide ? 4 : mod === 1 ? 1 : 0);
}
