import { type Evidence, join, keyOf, sorted } from './evidence.ts';

/** The sum of any number of evidence files, one at a time, in memory that grows with kinds of calls alone. */
export class EvidenceUnion {
  readonly #lines = new Map<string, Evidence>();

  add(evidence: readonly Evidence[]): void {
    for (const line of evidence) {
      const key = keyOf(line);
      const known = this.#lines.get(key);
      this.#lines.set(key, known === undefined ? line : join(known, line));
    }
  }

  evidence(): readonly Evidence[] {
    return sorted([...this.#lines.values()]);
  }
}
