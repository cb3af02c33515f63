/**
 * The seam between policies and programs: what a policy says, as a graph of tests on 32-bit words of struct seccomp_data that ends in
 * actions. Nodes are shared by identity. Decision diagrams will take the place of the way it is built; what is below stays.
 */

/** Comparison of a word, as classic BPF has them; unsigned. */
export type WordOperator = '==' | '>' | '>=';

export interface Return {
  readonly kind: 'return';
  /** SECCOMP_RET_* with its data, unsigned. */
  readonly action: number;
}

export interface WordTest {
  readonly kind: 'word';
  /** Byte offset in struct seccomp_data. */
  readonly offset: number;
  /** The word is masked by this first; never 0. */
  readonly mask: number;
  readonly operator: WordOperator;
  readonly value: number;
  readonly yes: Decision;
  readonly no: Decision;
}

export type Decision = Return | WordTest;

/** Numbers from `from` (to the next interval's, or 2^32 - 1) get `decision`. */
export interface Interval {
  readonly from: number;
  readonly decision: Decision;
}

/** What calls of one AUDIT_ARCH token get: intervals sorted by `from`, the first from 0. */
export interface TokenDecision {
  readonly token: number;
  readonly intervals: readonly Interval[];
}

export interface FilterDecision {
  readonly tokens: readonly TokenDecision[];
  readonly badArch: Return;
}
