import type { ArchName } from '../../facts/arches.ts';

/** What parsers of foreign logs have in common. They are pure: lines in, calls out. */

/** Calls of one kind that a log shows. At least one of `name` and `nr` is there. */
export interface LogCall {
  /** As the log has it: a path, or only a short name (comm); `UNKNOWN_EXE` where it does not say. */
  readonly exe: string;
  readonly arch: ArchName;
  readonly name?: string;
  /** With the x32 bit where the ABI has it. */
  readonly nr?: number;
  readonly phase: 'start' | 'program';
  readonly count: number;
  /** How many of them a filter that was already there denied. */
  readonly denied: number;
  /** Behind the instruction of one of them. */
  readonly address?: bigint;
}

/** Stands for an executable that the log does not name. */
export const UNKNOWN_EXE = '?';

export interface LogParser {
  /** Begins a file. A set of files (`strace -ff`) is one log: one parser reads them all. */
  readonly file: (name: string) => void;
  /** Takes one line. @returns false where it is not of this format */
  readonly line: (text: string) => boolean;
  /** All calls, when the last line is read. */
  readonly calls: () => readonly LogCall[];
  /** What this very log leaves open, for people; asked after `calls`. */
  readonly notes: () => readonly string[];
}

/** Numbers of seccomp_data are unsigned; audit prints them signed. */
export const unsigned = (text: string): number => Number(text) >>> 0;

/** The bytes of a string that strace or audit wrote in hexadecimal, as UTF-8. */
export function decodeHex(text: string): string {
  return new TextDecoder().decode(Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16)));
}

/** Adds calls of one kind up. */
export class CallCounts {
  readonly #calls = new Map<string, LogCall>();

  add(call: LogCall): void {
    const key = JSON.stringify([call.exe, call.arch, call.name, call.nr, call.phase]);
    const known = this.#calls.get(key);
    if (known === undefined) this.#calls.set(key, call);
    else this.#calls.set(key, { ...known, count: known.count + call.count, denied: known.denied + call.denied });
  }

  all(): readonly LogCall[] {
    return [...this.#calls.values()];
  }
}
