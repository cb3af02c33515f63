import type { Policy } from '../policy/model.ts';

/** What a foreign format is; the table of all is registry.ts. */

/** An option that only some formats take; `default` shows in the help. */
export interface FormatOption {
  readonly name: string;
  readonly about: string;
  readonly default: string;
}

export interface FormatEntry {
  /** As `--to` takes it. */
  readonly name: string;
  readonly about: string;
  /** One text, which goes to standard output where no folder is named. */
  readonly printed?: true;
  readonly options: readonly FormatOption[];
  readonly load: () => Promise<Format>;
}

/** A format that a policy can be written in. */
export interface Format {
  /**
   * Pure: the same input gives the same text.
   *
   * @throws {PolicyError | ProgramError | UsageError} the policy cannot be compiled, or not be said in this format; a bad option
   */
  readonly write: (input: FormatInput) => FormatOutput;
}

export interface FormatInput {
  readonly policy: Policy;
  /** SHA-256 of the policy's printed text, hexadecimal: what `inspect` shows of a sealed binary. */
  readonly policyDigest: string;
  /** Path from the output folder to the policy's file; absent for standard input. */
  readonly policyPath?: string;
  /** Every option of the format. */
  readonly options: Readonly<Record<string, string>>;
}

export interface FormatOutput {
  readonly files: readonly OutputFile[];
  /** Names that another policy would have given, which contradict these files where they are left from one. */
  readonly absent: readonly string[];
  /** What a person should know. */
  readonly notes: readonly string[];
}

export interface OutputFile {
  readonly name: string;
  readonly text: string;
}
