import { CallCounts, type LogParser, UNKNOWN_EXE } from './log.ts';

/** `perf trace`: a line a call, or the summary of `-s`, a table a thread. */
const TIME = String.raw`^ *(?:\?|\d+\.\d+) \( *(?:\d+\.\d+ ms)? *\): *`;
const CALL = new RegExp(String.raw`${TIME}(?:(.+?)\/(\d+) )? *(\.\.\. \[continued\]: )?(\w+)\(`);
const THREAD = /^ (\S.*?) \((\d+)\), \d+ events?, [\d.]+%/;
const ROW = /^ {3}(\w+) +(\d+)(?: +\d+)? +\d+\.\d+ /;
/** Headings, page faults, lost events: nothing to count. */
const OTHER =
  /^\s*$|^ Summary of events|^ {3}syscall +calls|^ {3} {2,}\(msec\)|^ {3}-[- ]+$|LOST \d+ events|(?:maj|min)fault \[/;

/** @returns whether a line shows calls as perf trace does */
export const isPerf = (line: string): boolean => CALL.test(line) || THREAD.test(line);

/** Reads both forms. Names are those of x86_64. */
export function perfParser(): LogParser {
  const counts = new CallCounts();
  const waiting = new Set<string>();
  let thread: string | undefined;
  let lost = 0;
  const add = (exe: string, name: string, count: number): true => {
    counts.add({ exe, arch: 'x86_64', name, phase: 'program', count, denied: 0 });
    return true;
  };
  const line = (text: string): boolean => {
    lost += Number(/LOST (\d+) events/.exec(text)?.[1] ?? 0);
    const call = CALL.exec(text);
    if (call) {
      const [, exe = UNKNOWN_EXE, tid = '', continued, name = ''] = call;
      // A call that others overtook has two lines: one as it begins, one as it ends.
      if (continued !== undefined && waiting.delete(`${tid} ${name}`)) return true;
      if (/\.\.\.$/.test(text.trimEnd())) waiting.add(`${tid} ${name}`);
      return add(exe, name, 1);
    }
    const head = THREAD.exec(text);
    if (head) thread = head[1];
    const row = thread === undefined ? null : ROW.exec(text);
    if (row && thread !== undefined) return add(thread, row[1] as string, Number(row[2]));
    return head !== null || OTHER.test(text);
  };
  return {
    file: () => {},
    line,
    calls: () => counts.all(),
    notes: () => (lost > 0 ? [`perf lost ${lost} events: calls may be missing`] : []),
  };
}
