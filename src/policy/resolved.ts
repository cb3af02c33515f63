import type { ArchName } from '../facts/arches.ts';
import type { CompareOperator, Rule } from './model.ts';

/**
 * A policy with everything looked up for given ABIs: numbers, masks and values instead of names. Its meaning (see decide.ts):
 * of the rules of a number, the first whose condition holds decides; rules are sorted by precedence (conditional and
 * named, conditional and from a set, unconditional and named, unconditional and from a set, a range), and rules of equal precedence that
 * overlap have equal actions, so their order never matters.
 */

/** ((argument truncated to `width`) & mask) operator value; all unsigned, `mask` and `value` fit `width`. */
export interface ResolvedTest {
  readonly kind: 'test';
  /** Index 0..5, or 'ip' (always 64 bits). */
  readonly argument: number | 'ip';
  readonly width: 32 | 64;
  readonly mask: bigint;
  readonly operator: CompareOperator;
  readonly value: bigint;
}

export type ResolvedCondition =
  | ResolvedTest
  | { readonly kind: 'and' | 'or'; readonly operands: readonly ResolvedCondition[] }
  | { readonly kind: 'not'; readonly operand: ResolvedCondition };

export interface ResolvedRule {
  readonly condition?: ResolvedCondition;
  /** SECCOMP_RET_* with its data, unsigned 32 bits. */
  readonly action: number;
  /** The rule it came from, for messages. */
  readonly rule: Rule;
}

/** Numbers from `from` to `to` that no other rule names, and the rule for them, which has no condition. */
export interface ResolvedRange {
  readonly from: number;
  readonly to: number;
  readonly rule: ResolvedRule;
}

/** Rules by number. */
export interface ResolvedCalls {
  /** Number (with the x32 bit where the ABI has it) to its rules, most preferred first, that of its range last; sorted by number. */
  readonly calls: ReadonlyMap<number, readonly ResolvedRule[]>;
  /** Ascending, none in another; absent: none. */
  readonly ranges?: readonly ResolvedRange[];
}

export interface ResolvedArch extends ResolvedCalls {
  readonly arch: ArchName;
  readonly default: number;
  /** Numbers greater than `above` that have no rule and are in no range get `action`. */
  readonly unknown?: { readonly above: number; readonly action: number };
}

/** Rules for calls that else get `badArch`. */
export interface ResolvedOther extends ResolvedCalls {
  /** How the words of arguments are read, whatever the token says: as machines of the first ABI of the policy store them. */
  readonly littleEndian: boolean;
}

export interface ResolvedPolicy {
  readonly arches: readonly ResolvedArch[];
  /** For every token that is not listed, and on x86_64 for numbers >= 0x40000000 unless x32 is listed (but for -1, if x86_64 has rules for it), and below unless x86_64 is. */
  readonly badArch: number;
  /** Absent: no such rules. */
  readonly other?: ResolvedOther;
  /** Things a person should know: names skipped on an arch that lacks them. */
  readonly notes: readonly string[];
}
