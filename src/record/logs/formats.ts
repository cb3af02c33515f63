import { auditParser, isAudit } from './audit.ts';
import { bpftraceParser, isBpftrace } from './bpftrace.ts';
import type { LogParser } from './log.ts';
import { isPerf, perfParser } from './perf.ts';
import { isStrace, straceParser } from './strace.ts';

/** Every log that becomes evidence, and what such a log cannot contain. */

export type LogFormatName = 'strace' | 'audit' | 'perf' | 'bpftrace';

export interface LogFormat {
  readonly name: LogFormatName;
  readonly about: string;
  /** A line that only this format has. */
  readonly isLine: (text: string) => boolean;
  readonly parser: () => LogParser;
  /** What no log of this format shows. */
  readonly lacks: readonly string[];
}

/** Tracepoints of system calls come behind seccomp (kernel/entry/common.c syscall_trace_enter, v6.18). */
const BEHIND_SECCOMP = 'calls that a filter denied are missing: tracepoints come behind seccomp';

/** In the order in which they are tried. */
export const LOG_FORMATS: readonly LogFormat[] = [
  {
    name: 'audit',
    about: 'records SECCOMP and SYSCALL of the audit log, raw or by ausearch, or of the kernel log',
    isLine: isAudit,
    parser: auditParser,
    lacks: [
      'an audit log has the calls alone that a filter denied or logged, or that an audit rule names: others are missing',
    ],
  },
  {
    name: 'perf',
    about: 'perf trace, also its summary (-s)',
    isLine: isPerf,
    parser: perfParser,
    lacks: [
      BEHIND_SECCOMP,
      'perf trace shows short names for executables, and reads the numbers of 32-bit programs as those of x86_64',
    ],
  },
  {
    name: 'bpftrace',
    about: 'maps of bpftrace that count calls by number or by tracepoint',
    isLine: isBpftrace,
    parser: bpftraceParser,
    lacks: [BEHIND_SECCOMP, 'tracepoints syscalls:* do not see calls of 32-bit programs'],
  },
  {
    name: 'strace',
    about: 'strace, also -f, -ff and -c',
    isLine: isStrace,
    parser: straceParser,
    lacks: [],
  },
];

/** Whatever the format: none tells where ld.so ends, and none sees what needs no call. */
export const ALL_LACK: readonly string[] = [
  'where start-up ends is not in a log: start: has the first exec alone, and what ld.so calls is permitted for good',
  'time calls that the vDSO answered are in no log: on another clock or machine they are system calls',
];

/** Lines that are asked for their format. */
export const DETECTION_LINES = 1000;

/** Finds the format by the first line that one of them knows. */
export function detectFormat(lines: readonly string[]): LogFormat | undefined {
  for (const line of lines) {
    const format = LOG_FORMATS.find(({ isLine }) => isLine(line));
    if (format) return format;
  }
  return undefined;
}
