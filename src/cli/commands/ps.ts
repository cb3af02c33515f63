import type { Surface } from '../../audit/surface.ts';
import { SelkieError } from '../../base/errors.ts';
import { decodeProgram } from '../../bpf/codec.ts';
import { SECCOMP_MODE_DISABLED } from '../../kernel/abi.ts';
import { filtersOf } from '../../kernel/filters.ts';
import { allProcesses, type TaskStatus, taskStatus, threadsOf } from '../../kernel/task-status.ts';
import { userNames } from '../../kernel/users.ts';
import type { CommandEntry } from '../command.ts';
import { print, say, toJson } from '../output.ts';
import { commandParser, parseWords } from '../parser.ts';

const EXAMPLE = `
selkie ps              processes with a filter, or with no_new_privs set
selkie ps --all        every process, those without protection too
selkie ps --open       how many calls each filter leaves open, and risky ones among them (root)
selkie ps --json       one JSON object: mode, number of filters and no_new_privs of each
`;

const EXPLANATION = `
MODE is filter, strict or none, or mixed where a process's threads differ; FILTERS how many are in force (Linux 5.9 and newer), from the
thread with the fewest to the one with the most; NNP whether no_new_privs is set on all of them, so that execve gives no privileges.
OPEN (--open): calls of x86_64 that are permitted for some arguments at least, of those there are, and RISKY some that open much; needs CAP_SYS_ADMIN
and stops each process with a filter for a fraction of a millisecond. What the filters say: selkie lift pid:N.`;

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
  /** Absent where it was not asked for, or there is no filter; a sentence where it cannot be had. */
  readonly surface?: Surface | string;
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
const NAME_AT = COLUMNS.length - 1;

const SURFACE_COLUMNS: readonly Column[] = [
  { title: 'OPEN', align: 'right', text: ({ surface }) => openText(surface) },
  { title: 'RISKY', align: 'left', text: ({ surface }) => riskyText(surface) },
];

/** `selkie ps`: by ascending pid, as ps(1) does. */
export async function run(words: readonly string[], entry: CommandEntry): Promise<number> {
  const parser = commandParser(entry, EXAMPLE)
    .option('-a, --all', 'processes without filter and without no_new_privs too, kernel threads included')
    .option('--open', 'also what the filters leave open')
    .option('--json', 'one JSON object')
    .addHelpText('after', EXPLANATION)
    .allowExcessArguments(false);
  const parsed = parseWords<{ readonly all?: boolean; readonly open?: boolean; readonly json?: boolean }>(
    parser,
    words,
  );
  if (!parsed) return 0;
  const { all, open, json } = parsed.options;
  const users = userNames();
  const processes = allProcesses().map((status) => rowOf(status, users));
  const shown = all ? processes : processes.filter(({ mode, noNewPrivs }) => mode !== 'none' || noNewPrivs === true);
  const rows = open ? await withSurfaces(shown) : shown;
  if (json) print(toJson({ processes: rows }));
  else print(table(rows, open ? COLUMNS.toSpliced(NAME_AT, 0, ...SURFACE_COLUMNS) : COLUMNS));
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

/** Loads what judges filters only where that is asked for. */
async function withSurfaces(rows: readonly Row[]): Promise<readonly Row[]> {
  const { surfaceOf } = await import('../../audit/surface.ts');
  return rows.map((row) => {
    if (row.mode !== 'filter') return row;
    try {
      const programs = filtersOf(row.pid).map((bytes) => decodeProgram(bytes));
      return { ...row, surface: surfaceOf(programs, 'x86_64') };
    } catch (error) {
      if (!(error instanceof SelkieError)) throw error;
      return { ...row, surface: error.message };
    }
  });
}

function openText(surface: Row['surface']): string {
  if (surface === undefined) return '-';
  return typeof surface === 'string' ? '?' : `${surface.open.length}/${surface.calls}`;
}

const MOST_RISKY = 4;

function riskyText(surface: Row['surface']): string {
  if (surface === undefined) return '-';
  if (typeof surface === 'string') return '?';
  const more = surface.risky.length - MOST_RISKY;
  return surface.risky.slice(0, MOST_RISKY).join(' ') + (more > 0 ? ` and ${more} more` : '');
}

function table(rows: readonly Row[], columns: readonly Column[]): string {
  const cells = [columns.map(({ title }) => title), ...rows.map((row) => columns.map(({ text }) => text(row)))];
  const widths = columns.map((_, index) => Math.max(...cells.map((line) => line[index]?.length ?? 0)));
  const aligned = (cell: string, index: number): string =>
    columns[index]?.align === 'right' ? cell.padStart(widths[index] ?? 0) : cell.padEnd(widths[index] ?? 0);
  return cells.map((line) => line.map(aligned).join('  ').trimEnd()).join('\n');
}
