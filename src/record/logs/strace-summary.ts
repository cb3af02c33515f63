import type { ArchName } from '../../facts/arches.ts';
import { CallCounts, type LogCall, UNKNOWN_EXE } from './log.ts';

/** The tables of `strace -c` and `-C`: names and counts, one table for each ABI. Columns may stand in any order (`-U`). */

const HEAD = /^(?=.*\bcalls\b)(?=.*\b(?:syscall|name)\b)% time\b.*|^(?=.*\bcalls\b).*\bsyscall$/;
const RULE = /^-[- ]+$/;
const MODE = /^System call usage summary for (\S+)(?: bit)? mode:$/;
const MODES: Readonly<Record<string, ArchName>> = { '64': 'x86_64', '32': 'i386', x32: 'x32' };

export class SummaryTable {
  readonly #counts = new CallCounts();
  #columns: readonly string[] | undefined;
  #arch: ArchName = 'x86_64';

  /** @returns whether a line belongs to a table */
  line(text: string): boolean {
    const mode = MODE.exec(text);
    if (mode) {
      this.#arch = MODES[mode[1] as string] ?? 'x86_64';
      return true;
    }
    if (HEAD.test(text)) {
      this.#columns = text.trim().replace('% time', '%time').split(/ +/);
      return true;
    }
    if (this.#columns === undefined) return false;
    if (RULE.test(text)) return true;
    return this.#row(text.trim().split(/ +/));
  }

  #row(words: readonly string[]): boolean {
    const all = this.#columns ?? [];
    // The column of errors is empty where there are none.
    const columns = words.length === all.length ? all : all.filter((column) => column !== 'errors');
    const name = words[columns.findIndex((column) => column === 'syscall' || column === 'name')];
    const count = Number(words[columns.indexOf('calls')]);
    if (words.length !== columns.length || name === undefined || !Number.isSafeInteger(count) || count < 1)
      return false;
    if (name === 'total') this.#columns = undefined;
    else this.#counts.add({ exe: UNKNOWN_EXE, arch: this.#arch, name, phase: 'program', count, denied: 0 });
    return true;
  }

  calls(): readonly LogCall[] {
    return this.#counts.all();
  }
}
