import { CALL_KEY, COMPAT, HIT, IMAGE_SHIFT, IN_PROGRAM } from '../ebpf/layout.ts';
import { archOf, type ObservedArch } from './abi.ts';
import type { Phase } from './tally.ts';

/** How the tracing programs name a kind of call: see CALL_KEY. */
export interface TracedKey {
  readonly image: number;
  readonly phase: Phase;
  readonly arch: ObservedArch;
  readonly nr: number;
}

/** What a key says that is at the begin of `bytes`. */
export function callOf(bytes: Buffer): TracedKey {
  const nr = bytes.readUInt32LE(CALL_KEY.nr);
  const kind = bytes.readUInt32LE(CALL_KEY.kind);
  const phase = (kind & IN_PROGRAM) === 0 ? 'start' : 'program';
  return { image: kind >>> IMAGE_SHIFT, phase, arch: archOf((kind & COMPAT) !== 0, nr), nr };
}

/** Adds up what the places for hits hold. @returns counts by the bytes of keys, as one number */
export function countHits(hits: Buffer): ReadonlyMap<bigint, number> {
  const words = new BigUint64Array(hits.buffer, hits.byteOffset, hits.length / 8);
  const counts = new Map<bigint, number>();
  for (let at = 0; at < words.length; at += HIT.size / 8) {
    const key = words[at + HIT.key / 8] ?? 0n;
    if (key !== 0n) counts.set(key, (counts.get(key) ?? 0) + Number(words[at + HIT.count / 8]));
  }
  return counts;
}
