import { closeSync, existsSync, openSync, readFileSync, readSync, realpathSync } from 'node:fs';
import { basename } from 'node:path';
import { UsageError } from '../base/errors.ts';
import { syscallName, syscallNumber } from '../facts/syscalls.ts';
import { type Evidence, mergeEvidence } from './evidence.ts';
import { keepExecutable } from './executables.ts';
import { refuseExisting, requireWritable } from './files.ts';
import {
  ALL_LACK,
  DETECTION_LINES,
  detectFormat,
  LOG_FORMATS,
  type LogFormat,
  type LogFormatName,
} from './logs/formats.ts';
import type { LogCall, LogParser } from './logs/log.ts';
import { type Files, type JoinedResults, joinResults, readEarlier, type Seen, writeResults } from './results.ts';

/** Logs of other tools to evidence and a policy. */

export interface ImportOptions {
  readonly logs: readonly string[];
  /** Absent: found by content. */
  readonly format?: LogFormatName;
  /** Absent: the first log's name with .yaml. */
  readonly output?: string;
  readonly existing?: 'merge' | 'force';
  readonly floor: boolean;
  /** Keep only what this executable calls. */
  readonly exe?: string;
}

export interface ImportedLog extends Seen {
  readonly calls: number;
  /** What the logs leave open. */
  readonly notes: readonly string[];
}

export interface WrittenLog extends Files, JoinedResults {
  readonly log: ImportedLog;
}

/** Reads logs and writes policy and evidence. @throws {UsageError} `bad_log`, `output_exists`, `cannot_write` */
export function importToFiles(options: ImportOptions): WrittenLog {
  const [first = ''] = options.logs;
  const name = basename(first).replace(/\.[^.]*$/, '') || basename(first);
  const policyFile = options.output ?? `./${name}.yaml`;
  const files = { policyFile, evidenceFile: `${policyFile.replace(/\.(ya?ml|json)$/, '')}.evidence.json` };
  if (options.existing === undefined) refuseExisting(files);
  requireWritable(policyFile);
  const earlier = options.existing === 'merge' ? readEarlier(files) : undefined;
  const all = importLogs(options.logs, options.format);
  const log = options.exe === undefined ? all : keepExecutable(all, options.exe);
  const joined = joinResults(log, { name, wantsFloor: options.floor, earlier });
  writeResults(files, joined);
  return { ...joined, ...files, log };
}

/** Reads logs; files of one `strace -ff` (PREFIX.PID) are one. @throws {UsageError} `bad_log` */
export function importLogs(files: readonly string[], wanted?: LogFormatName): ImportedLog {
  const parsers = new Map<string, LogParser>();
  const formats = new Set<LogFormat>();
  const notes = new Set<string>();
  for (const file of files) {
    const format = formatOf(file, wanted);
    const key = /\.\d+$/.test(file) ? file.replace(/\.\d+$/, '') : `${file}\n`;
    const parser = parsers.get(key) ?? format.parser();
    parsers.set(key, parser);
    formats.add(format);
    readLog(file, format, parser, notes);
  }
  const evidence = mergeEvidence(...[...parsers.values()].map((parser) => evidenceOfLog(parser.calls(), notes)));
  for (const parser of parsers.values()) for (const note of parser.notes()) notes.add(note);
  for (const note of [...[...formats].flatMap(({ lacks }) => lacks), ...ALL_LACK]) notes.add(note);
  const images = [...new Set(evidence.map(({ exe }) => exe))];
  const calls = evidence.reduce((sum, { count }) => sum + count, 0);
  const path = evidence.find(({ phase }) => phase === 'start')?.exe ?? images[0] ?? '';
  return { evidence, images, path, isWhole: true, calls, notes: [...notes] };
}

function formatOf(file: string, wanted: LogFormatName | undefined): LogFormat {
  const head: string[] = [];
  for (const line of logLines(file)) if (head.push(line) >= DETECTION_LINES) break;
  const format = wanted === undefined ? detectFormat(head) : LOG_FORMATS.find(({ name }) => name === wanted);
  if (format) return format;
  const known = LOG_FORMATS.map(({ name }) => name).join(', ');
  throw new UsageError('bad_log', `Cannot import "${file}": line 1: found no line of ${known}: name one with --format`);
}

function readLog(file: string, format: LogFormat, parser: LogParser, notes: Set<string>): void {
  parser.file(file);
  const bad: string[] = [];
  let [read, unread, at] = [0, 0, 0];
  for (const line of logLines(file)) {
    at += 1;
    if (line.trim() === '') continue;
    if (parser.line(line)) read += 1;
    else if (++unread <= 3) bad.push(`${file}:${at}: ${JSON.stringify(line.slice(0, 80))}`);
  }
  if (unread === 0) return;
  if (read === 0) throw new UsageError('bad_log', `${bad[0]}: Cannot import: wanted a line of ${format.about}`);
  notes.add(`${unread} lines of "${file}" are not of ${format.name}: ${bad.join('; ')}${unread > 3 ? '; ...' : ''}`);
}

function openLog(file: string): number {
  try {
    return openSync(file, 'r');
  } catch (cause) {
    throw new UsageError('cannot_read', `Cannot import "${file}": ${(cause as Error).message}`, { cause });
  }
}

function* logLines(file: string): Generator<string, void, undefined> {
  const descriptor = openLog(file);
  try {
    const decoder = new TextDecoder();
    const chunk = new Uint8Array(1 << 16);
    let rest = '';
    for (let size = -1; size !== 0; ) {
      size = readSync(descriptor, chunk);
      const lines = (rest + decoder.decode(chunk.subarray(0, size), { stream: size > 0 })).split(/\r?\n/);
      rest = lines.pop() as string;
      yield* lines;
    }
    if (rest !== '') yield rest;
  } finally {
    closeSync(descriptor);
  }
}

function evidenceOfLog(calls: readonly LogCall[], notes: Set<string>): readonly Evidence[] {
  return calls.flatMap(({ exe, arch, name, nr: number, phase, count, denied, address }) => {
    const nr = number ?? syscallNumber(arch, name ?? '') ?? unknownNumber(name);
    if (nr === undefined) {
      notes.add(`"${name}" is no call of ${arch} that Selkie knows, and the log has no number for it: left out`);
      return [];
    }
    const syscall = syscallName(arch, nr);
    if (syscall === undefined) notes.add(`number ${nr} of ${arch} has no name that Selkie knows: kept as a number`);
    const site = address === undefined ? {} : { site: { address } };
    const kept = { ...(syscall !== undefined && { syscall }), nr, phase, condition: null, runs: 1, count } as const;
    return [{ exe: executedFile(exe), arch, ...kept, ...(denied > 0 && { denied }), ...site }];
  });
}

/** `syscall_0x1f3`, as strace writes what it has no name for. */
function unknownNumber(name: string | undefined): number | undefined {
  const text = /^syscall_(0x[0-9a-f]+|\d+)$/.exec(name ?? '')?.[1];
  return text === undefined ? undefined : Number(text) >>> 0;
}

const executed = new Map<string, string>();

/** The path as the kernel has it, where the file is still there: of a script, its interpreter. */
function executedFile(exe: string): string {
  const known = executed.get(exe);
  if (known !== undefined) return known;
  const found = exe.includes('/') && existsSync(exe) ? throughInterpreter(exe) : exe;
  executed.set(exe, found);
  return found;
}

function throughInterpreter(exe: string): string {
  const path = realpathSync(exe);
  try {
    const interpreter = /^#! *(\S+)/.exec(readFileSync(path).subarray(0, 256).toString())?.[1];
    return interpreter !== undefined && existsSync(interpreter) ? realpathSync(interpreter) : path;
  } catch {
    return path;
  }
}
