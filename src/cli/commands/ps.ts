import { SECCOMP_MODE_DISABLED } from '../../kernel/abi.ts';
import { allProcesses, type TaskStatus, taskStatus, threadsOf } from '../../kernel/task-status.ts';
import { userNames } from '../../kernel/users.ts';
import type { CommandEntry } from '../command.ts';
import { print, say, toJson } from '../output.ts';
import { commandParser, parseWords } from '../parser.ts';

const EXAMPLE = `
selkie ps              processes with a filter, or with no_new_privs set
selkie ps --all        every process, those without protection too
selkie ps --json       one JSON object: mode, number of filters and no_new_privs of each
`;

const EXPLANATION = `
MODE is filter, strict or none, or mixed where a process's threads differ; FILTERS how many are in force (Linux 5.9 and newer), from the
thread with the fewest to the one with the most; NNP whether no_new_privs is set on all of them, so that execve gives no privileges.
What the filters say: selkie disasm pid:N.`;

/** A process as it is shown. */
interface Row {
  readonly pid: number;
  readonly user: string;
  readonly mode: string;
  /** Of the thread that has the fewest, and of the one that has the most. */
  readonly leastFilters: number | undefined;
  readonly mostFilters: number | undefined;
  readonly noNewPrivs: boolean | undefined;
  readonly name: string;
}

/** A column of the table; another one is another line here. */
interface Column {
  readonly title: string;
  readonly align: 'left' | 'right';
  readonly text: (row: Row) => string;
}

const COLUMNS: readonly Column[] = [
  { title: 'PID', align: 'right', text: ({ pid }) => String(pid) },
  { title: 'USER', align: 'left', text: ({ user }) => user },
  { title: 'MODE', align: 'left', text: ({ mode }) => mode },
  { title: 'FILTERS', align: 'right', text: filtersText },
  {
    title: 'NNP',
    align: 'left',
    text: ({ noNewPrivs }) => (noNewPrivs === undefined ? '?' : noNewPrivs ? 'yes' : 'no'),
  },
  { title: 'NAME', align: 'left', text: ({ name }) => name },
];

/** `selkie ps`: by ascending pid, as ps(1) does. */
export async function run(words: readonly string[], entry: CommandEntry): Promise<number> {
  const parser = commandParser(entry, EXAMPLE)
    .option('-a, --all', 'processes without filter and without no_new_privs too, kernel threads included')
    .option('--json', 'one JSON object')
    .addHelpText('after', EXPLANATION)
    .allowExcessArguments(false);
  const parsed = parseWords<{ readonly all?: boolean; readonly json?: boolean }>(parser, words);
  if (!parsed) return 0;
  const { all, json } = parsed.options;
  const users = userNames();
  const processes = allProcesses().map((status) => rowOf(status, users));
  const rows = all ? processes : processes.filter(({ mode, noNewPrivs }) => mode !== 'none' || noNewPrivs === true);
  if (json) print(toJson({ processes: rows }));
  else print(table(rows));
  const hidden = processes.length - rows.length;
  if (!json && hidden > 0) say(`selkie: ${hidden} more have neither a filter nor no_new_privs: selkie ps --all`);
  return 0;
}

/** include/uapi/linux/seccomp.h, by number. */
const MODES = ['none', 'strict', 'filter'];

function rowOf(status: TaskStatus, users: ReadonlyMap<number, string>): Row {
  const threads = status.threads > 1 ? threadsOf(status.pid).flatMap((tid) => taskStatus(tid) ?? []) : [];
  const all = threads.length > 0 ? threads : [status];
  const modes = new Set(all.map(({ mode }) => MODES[mode ?? SECCOMP_MODE_DISABLED] ?? String(mode)));
  const [mode = 'none'] = modes;
  const filters = all.flatMap((thread) => thread.filters ?? []);
  const isKnown = filters.length > 0;
  return {
    pid: status.pid,
    user: users.get(status.uid) ?? String(status.uid),
    mode: modes.size > 1 ? 'mixed' : mode,
    leastFilters: isKnown ? Math.min(...filters) : undefined,
    mostFilters: isKnown ? Math.max(...filters) : undefined,
    noNewPrivs: status.noNewPrivs === undefined ? undefined : all.every(({ noNewPrivs }) => noNewPrivs),
    // A process chooses its name: no control characters on the terminal.
    name: status.name.replace(/\p{Cc}/gu, '?'),
  };
}

function filtersText({ leastFilters, mostFilters }: Row): string {
  if (leastFilters === undefined) return '?';
  return leastFilters === mostFilters ? String(leastFilters) : `${leastFilters}-${mostFilters}`;
}

function table(rows: readonly Row[]): string {
  const cells = [COLUMNS.map(({ title }) => title), ...rows.map((row) => COLUMNS.map(({ text }) => text(row)))];
  const widths = COLUMNS.map((_, index) => Math.max(...cells.map((line) => line[index]?.length ?? 0)));
  const aligned = (cell: string, index: number): string =>
    COLUMNS[index]?.align === 'right' ? cell.padStart(widths[index] ?? 0) : cell.padEnd(widths[index] ?? 0);
  return cells.map((line) => line.map(aligned).join('  ').trimEnd()).join('\n');
}
