import type { Place } from '../base/errors.ts';
import type { ArchName } from '../facts/arches.ts';
import type { Subject } from './subject.ts';

/** The levels of SARIF 2.1.0 (3.27.10), gravest first. */
export const SEVERITIES = ['error', 'warning', 'note'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** What a rule found at one spot. */
export interface Found {
  readonly message: string;
  /** Where the rule's own severity does not fit. */
  readonly severity?: Severity;
  /** The rule of the policy that is responsible. */
  readonly place?: Place | undefined;
  readonly arch?: ArchName;
}

/** A rule of the lint. */
export interface LintRule {
  /** kebab-case; API. */
  readonly id: string;
  readonly severity: Severity;
  /** Why it is a fault. */
  readonly why: string;
  /** What to do about it. */
  readonly todo: string;
  /** Where the fact is told. */
  readonly source: string;
  readonly judge: (subject: Subject) => readonly Found[];
}

/** What is told of a filter. */
export interface Finding {
  readonly id: string;
  readonly severity: Severity;
  readonly message: string;
  readonly why: string;
  readonly todo: string;
  readonly place?: Place;
  /** ABIs for which it was found; empty where it is not of any. */
  readonly arches: readonly ArchName[];
}
