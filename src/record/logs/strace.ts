import type { ArchName } from '../../facts/arches.ts';
import type { LogCall, LogParser } from './log.ts';
import { callsOfImages, type Image } from './strace-images.ts';
import { fileOfDescriptor, firstString, parseStraceLine, returned, type StraceLine } from './strace-line.ts';
import { SummaryTable } from './strace-summary.ts';

/** strace's lines to calls: which task runs which executable. */

interface Task {
  /** What it ran when it began, and now. */
  birth: Image;
  image: Image;
  mode: ArchName | undefined;
  /** A call that is not finished, and its arguments. */
  pending: { readonly name: string; readonly rest: string } | undefined;
}

const MODES: Readonly<Record<string, ArchName>> = { '64': 'x86_64', '32': 'i386', x32: 'x32' };
const BIRTHS = ['clone', 'clone3', 'fork', 'vfork'];
const UNFINISHED = /<(?:unfinished \.\.\.|pid changed to \d+ \.\.\.)>\s*$/;

/** @returns whether a line is a call, or a part of one, or the head of a table of `-c` */
export function isStrace(line: string): boolean {
  const kind = parseStraceLine(line)?.event.kind;
  return kind === 'call' || kind === 'resumed' || kind === 'mode' || /^% time +seconds/.test(line);
}

/** Reads what strace writes, also several files of `-ff`, and tables of `-c`. */
export function straceParser(): LogParser {
  return new StraceLog();
}

class StraceLog implements LogParser {
  readonly #tasks = new Map<string, Task>();
  readonly #alive = new Set<string>();
  readonly #images: Image[] = [];
  readonly #table = new SummaryTable();
  readonly #notes = new Set<string>();
  /** Whose lines have no pid: the only task's, or the file's of `-ff`. */
  #first = '';
  #ofFile: string | undefined;
  /** On stderr, strace's own words come into the middle of a line. */
  #broken: string | undefined;

  readonly file = (name: string): void => {
    this.#ofFile = /\.(\d+)$/.exec(name)?.[1];
  };

  readonly line = (text: string): boolean => {
    if (this.#table.line(text)) return true;
    const [, begun, words] = /^(.+)(strace: Process \d+ attached)$/.exec(text) ?? [];
    if (begun !== undefined && words !== undefined) {
      this.#broken = begun;
      return this.#whole(words);
    }
    const before = this.#broken;
    if (before === undefined || text.startsWith('strace: ')) return this.#whole(text);
    this.#broken = undefined;
    if (parseStraceLine(text) === undefined) return this.#whole(before + text);
    this.#whole(before);
    return this.#whole(text);
  };

  #whole(text: string): boolean {
    const line = parseStraceLine(text);
    if (line === undefined) return false;
    if (line.event.kind !== 'nothing') this.#take(line);
    return true;
  }

  /** A table beside lines (`-C`) counts the same calls again. */
  readonly calls = (): readonly LogCall[] => {
    const calls = callsOfImages(this.#images, this.#notes);
    if (calls.length > 0) return calls;
    if (this.#table.calls().length > 0) this.#notes.add(TABLE_NOTE);
    return this.#table.calls();
  };

  readonly notes = (): readonly string[] => [...this.#notes];

  #take(line: StraceLine): void {
    const { event } = line;
    const pid = this.#pidOf(line);
    const task = this.#task(pid);
    if (event.kind === 'mode') task.mode = MODES[event.mode];
    else if (event.kind === 'exit') this.#alive.delete(pid);
    else if (event.kind === 'denied') deny(task, event.name);
    else if (event.kind === 'call') this.#begin(task, line, event.name, event.rest);
    else if (event.kind === 'resumed') this.#resume(task, line, event.name, event.rest);
  }

  /** Without -o only tasks that are not alone have their pid in front. */
  #pidOf({ pid, event }: StraceLine): string {
    if (pid === undefined) {
      const [only] = this.#alive;
      return this.#ofFile ?? (this.#alive.size === 1 ? (only as string) : this.#first);
    }
    const nameless = this.#tasks.get('');
    if (nameless && !this.#tasks.has(pid) && event.kind !== 'attach') {
      // The first task, until now alone: here is its pid.
      this.#tasks.delete('');
      this.#alive.delete('');
      this.#tasks.set(pid, nameless);
      this.#alive.add(pid);
      this.#first = pid;
    }
    return pid;
  }

  #task(pid: string): Task {
    const known = this.#tasks.get(pid);
    if (known) return known;
    const image = this.#newImage();
    const task: Task = { birth: image, image, mode: undefined, pending: undefined };
    this.#tasks.set(pid, task);
    this.#alive.add(pid);
    return task;
  }

  #newImage(exe?: string): Image {
    const image: Image = { exe, calls: new Map() };
    this.#images.push(image);
    return image;
  }

  #begin(task: Task, line: StraceLine, name: string, rest: string): void {
    const result = UNFINISHED.test(rest) ? undefined : returned(rest);
    const mayExec = isExec(name) && (result === undefined || result === '0');
    count(task, line, name, mayExec && task.birth.calls.size === 0 && task.birth === task.image);
    task.pending = result === undefined && UNFINISHED.test(rest) ? { name, rest } : undefined;
    if (result !== undefined) this.#finish(task, name, rest, result);
  }

  #resume(task: Task, line: StraceLine, name: string, rest: string): void {
    // The exec of a thread ends under the pid of its process.
    const caller = task.pending?.name === name ? task : this.#whoExecs(name);
    const started = caller?.pending;
    if (caller) caller.pending = undefined;
    // It began before strace was there.
    else count(task, line, name, false);
    const result = returned(rest);
    if (result !== undefined) this.#finish(task, name, started?.rest ?? rest, result);
  }

  #whoExecs(name: string): Task | undefined {
    return isExec(name) ? [...this.#tasks.values()].find(({ pending }) => pending?.name === name) : undefined;
  }

  #finish(task: Task, name: string, rest: string, result: string): void {
    if (isExec(name) && result === '0') {
      const exe = executableOf(name, rest);
      const { birth, image } = task;
      const isFirst = birth === image && [...birth.calls.values()].every((call) => call.isFirst);
      if (isFirst && exe !== undefined) birth.firstExec ??= exe;
      task.image = this.#newImage(exe);
    } else if (BIRTHS.includes(name) && Number(result) > 0) {
      // The kernel uses pids again: who has a parent already is another, gone by now.
      if (this.#tasks.get(result)?.birth.parent) this.#tasks.delete(result);
      const { birth } = this.#task(result);
      if (birth !== task.birth) birth.parent = task.image;
    }
  }
}

const TABLE_NOTE =
  'strace -c counts calls when they return: exit_group, exit and whatever a process ended in are missing, and executables are not named';

const isExec = (name: string): boolean => name === 'execve' || name === 'execveat';

function executableOf(name: string, rest: string): string | undefined {
  const path = firstString(rest);
  return name === 'execveat' && path === '' ? fileOfDescriptor(rest) : path;
}

function count({ image, mode }: Task, { nr, address }: StraceLine, name: string, isFirst: boolean): void {
  const key = `${name} ${nr} ${mode} ${isFirst}`;
  const known = image.calls.get(key);
  if (known) known.count += 1;
  else image.calls.set(key, { name, nr, address, mode, isFirst, count: 1, denied: 0 });
}

function deny({ image }: Task, name: string): void {
  const call = [...image.calls.values()].findLast((each) => each.name === name);
  if (call) call.denied += 1;
}
