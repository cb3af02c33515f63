import type { CallCounts } from '../compile/weights.ts';
import type { ArchName } from '../facts/arches.ts';
import { parseEvidence } from '../record/evidence.ts';
import { readSource, sourceName } from './source.ts';

/**
 * How often each call was seen, from a file of evidence that `record` wrote.
 *
 * @throws {UsageError} it cannot be read
 */
export function callCounts(source: string): CallCounts {
  const counts = new Map<ArchName, Map<string, number>>();
  for (const { arch, syscall, count } of parseEvidence(
    new TextDecoder().decode(readSource(source)),
    sourceName(source),
  )) {
    const ofArch = counts.get(arch) ?? new Map<string, number>();
    counts.set(arch, ofArch);
    if (syscall !== undefined) ofArch.set(syscall, (ofArch.get(syscall) ?? 0) + count);
  }
  return counts;
}
