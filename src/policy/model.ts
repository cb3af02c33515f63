import type { Place } from '../base/errors.ts';
import type { ArchName } from '../facts/arches.ts';
import type { PathList } from '../facts/landlock.ts';

/** The policy as people write it: immutable, names still unresolved. See docs/policy.md for the text form. */

export type Action =
  | { readonly kind: 'allow' | 'log' | 'notify' | 'return_zero' | 'kill_thread' | 'kill_process' }
  | { readonly kind: 'errno'; readonly errno: string | number }
  | { readonly kind: 'trace' | 'trap'; readonly data: number };

/** A constant as written: names and numbers joined by `|`, each negated (`-`) or complemented (`~`) or neither. */
export interface ConstantTerm {
  readonly sign?: '-' | '~';
  readonly value: string | bigint | Constant;
  /** How a number was written, so that it is printed the same; absent: decimal. */
  readonly base?: 8 | 16;
  /** Where it stands in its file; absent for conditions that were built. */
  readonly place?: Place;
}
export type Constant = readonly ConstantTerm[];

export interface Field {
  /** Argument name as written (man page's or kernel's), `arg0`..`arg5`, or `ip`. */
  readonly argument: string;
  /** Forced width: u32(x), u64(x), raw(x). Absent: the effective width. */
  readonly width?: 32 | 64 | 'raw';
  readonly mask?: Constant;
  /** Where it stands in its file; absent for conditions that were built. */
  readonly place?: Place;
}

export type CompareOperator = '==' | '!=' | '<' | '<=' | '>' | '>=';

export type Test =
  | { readonly kind: 'compare'; readonly field: Field; readonly operator: CompareOperator; readonly constant: Constant }
  | { readonly kind: 'in' | 'within'; readonly field: Field; readonly constants: readonly Constant[] };

export type Condition =
  | Test
  | { readonly kind: 'and' | 'or'; readonly operands: readonly Condition[] }
  | { readonly kind: 'not'; readonly operand: Condition };

export type Call =
  | { readonly kind: 'name' | 'set'; readonly name: string }
  | { readonly kind: 'number'; readonly number: number }
  /** Numbers from `from` to `to`, both included. */
  | { readonly kind: 'range'; readonly from: number; readonly to: number };

/** What a part of `only:` is for: an ABI, or the calls of all others, which have `bad_arch` for a default. */
export type Section = ArchName | 'other';

export interface Rule {
  readonly action: Action;
  readonly call: Call;
  readonly condition?: Condition;
  /** What alone it is for (a rule of `only:`); absent: every ABI of the policy. */
  readonly only?: Section;
  /** Where it stands in its file, for messages; absent for rules that were built. */
  readonly place?: Place;
  /** Comments kept from the text: own lines before it, and behind it on its line (without `#`). */
  readonly commentBefore?: string;
  readonly comment?: string;
}

/** A file, or a folder with all that is beneath it. */
export interface PathEntry {
  /** Absolute, without `.`, `..` and doubled slashes. */
  readonly path: string;
  /** No error where nothing is there when the policy is applied. */
  readonly isOptional: boolean;
  /** Where it stands in its file, for messages; absent for paths that were built. */
  readonly place?: Place;
  /** Comments kept from the text, as those of rules. */
  readonly commentBefore?: string;
  readonly comment?: string;
}

/** What is permitted of files, by Landlock; at least one list is there, and none is empty. */
export interface Paths extends Readonly<Partial<Record<PathList, readonly PathEntry[]>>> {
  /** Oldest ABI of Landlock that will do; absent: LEAST_ABI of facts/landlock.ts. */
  readonly abi?: number;
}

export interface Policy {
  /** Version of the policy language: 1. */
  readonly selkie: 1;
  /** Edition of the named sets: 1. */
  readonly sets: 1;
  readonly name?: string;
  /** Absent: the ABI of what it is applied to. */
  readonly arches?: readonly ArchName[];
  readonly default: Action;
  /** `only.ARCH.default`: what calls of one ABI get that no rule names, newer ones too. */
  readonly defaults?: Readonly<Partial<Record<ArchName, Action>>>;
  /** `kernel` and `unknown` go together. */
  readonly kernel?: string;
  readonly unknown?: Action;
  readonly badArch: Action;
  /** Rules of `syscalls:` and of `only:`. */
  readonly syscalls: readonly Rule[];
  readonly start?: readonly Rule[];
  /** What is permitted of `syscalls` once the program is ready; see service.ts. */
  readonly service?: readonly Rule[];
  /** Absent: seccomp alone, all files. */
  readonly paths?: Paths;
  /** Comment lines above the first key (without `#`). */
  readonly commentBefore?: string;
  /** Comments at keys: by `default`, `syscalls`, `syscalls.allow`, `only.i386.allow`, …; `end` holds those behind everything. */
  readonly keyComments?: Readonly<Record<string, KeyComments>>;
}

/** Comment lines above a key and behind it on its line (without `#`). */
export interface KeyComments {
  readonly before?: string;
  readonly behind?: string;
}
