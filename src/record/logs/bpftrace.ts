import { CallCounts, type LogParser, UNKNOWN_EXE, unsigned } from './log.ts';

/** Maps as bpftrace prints them: `@[231]: 4`, `@calls[bash, 231]: 4`, `@[tracepoint:syscalls:sys_enter_read]: 9`. */
const ENTRY = /^@\w*\[(.+)\]: (.+)$/;
const PROBE = /^(?:tracepoint|t|rawtracepoint|rt):syscalls:sys_(?:enter|exit)_(\w+)$/;
/** What bpftrace says itself. */
const OWN_WORDS = /^(?:Attaching \d+ probes?\.\.\.|Attached \d+ probes?|Lost \d+ events|WARNING: .*|\^C)$/;

/** What the kernel's tracepoints call by the function's name, where the call has another. Source: SYSCALL_DEFINE in fs/stat.c, kernel/sys.c. */
const FUNCTION_NAMES: Readonly<Record<string, string>> = {
  newstat: 'stat',
  newfstat: 'fstat',
  newlstat: 'lstat',
  newuname: 'uname',
  sendfile64: 'sendfile',
  umount: 'umount2',
};

/** @returns whether a line is an entry of a map that counts calls */
export const isBpftrace = (line: string): boolean => ENTRY.test(line);

/** Reads maps that count calls by number (of x86_64) or by tracepoint, with or without the short name of the process. */
export function bpftraceParser(): LogParser {
  const counts = new CallCounts();
  let numbered = false;
  const line = (text: string): boolean => {
    if (text.trim() === '' || OWN_WORDS.test(text)) return true;
    const [, keys = '', value = ''] = ENTRY.exec(text) ?? [];
    const count = Number(value);
    const parts = keys.split(', ').map((part) => part.replace(/^"(.*)"$/, '$1'));
    const call = callOf(parts);
    if (call === undefined || !Number.isSafeInteger(count) || count < 0) return false;
    numbered ||= 'nr' in call;
    const exe = parts.find((part) => !/^-?\d+$/.test(part) && !PROBE.test(part)) ?? UNKNOWN_EXE;
    if (count > 0) counts.add({ exe, arch: 'x86_64', ...call, phase: 'program', count, denied: 0 });
    return true;
  };
  return {
    file: () => {},
    line,
    calls: () => counts.all(),
    notes: () =>
      numbered ? ['numbers are read as those of x86_64: a map does not say which calls came from 32-bit programs'] : [],
  };
}

/** The last number of the keys is the call's, as in `@[pid, nr]`. */
function callOf(parts: readonly string[]): { name: string } | { nr: number } | undefined {
  const probe = parts.map((part) => PROBE.exec(part)?.[1]).find((name) => name !== undefined);
  if (probe !== undefined) return { name: FUNCTION_NAMES[probe] ?? probe };
  const number = parts.findLast((part) => /^-?\d+$/.test(part));
  return number === undefined ? undefined : { nr: unsigned(number) };
}
