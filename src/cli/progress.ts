import { closeSync, openSync, writeSync } from 'node:fs';
import { UsageError } from '../base/errors.ts';
import { syscallName } from '../facts/syscalls.ts';
import type { Progress } from '../observe/protocol.ts';

/** A line each second on how far a recording is. Not on the command's terminal unless it is asked for: that is the command's own. */
export class ProgressLines {
  readonly #descriptor: number;
  readonly #begin = Date.now();
  readonly #kinds = new Set<string>();
  readonly #timer: NodeJS.Timeout;
  #calls = 0;
  /** Calls of the runs before this one. */
  #earlier = 0;
  #told = 0;
  #lastNew: { readonly name: string; readonly at: number } | undefined;

  /** @throws {UsageError} `cannot_write` */
  constructor(file: string) {
    this.#descriptor = openToAppend(file);
    this.#timer = setInterval(() => this.#tell(), 1000);
  }

  see({ calls, fresh }: Progress): void {
    if (this.#earlier + calls < this.#calls) this.#earlier = this.#calls;
    this.#calls = this.#earlier + calls;
    for (const { arch, nr } of fresh) {
      const name = syscallName(arch, nr) ?? `syscall(${nr})`;
      const kind = `${arch} ${name}`;
      if (!this.#kinds.has(kind)) this.#lastNew = { name, at: Date.now() };
      this.#kinds.add(kind);
    }
  }

  close(): void {
    clearInterval(this.#timer);
    closeSync(this.#descriptor);
  }

  #tell(): void {
    const now = Date.now();
    const seconds = (since: number): string => `${Math.round((now - since) / 1000)} s`;
    const last = this.#lastNew ? `, the last new one ${this.#lastNew.name} ${seconds(this.#lastNew.at)} ago` : '';
    const rate = this.#calls - this.#told;
    this.#told = this.#calls;
    const line = `${seconds(this.#begin)}: ${this.#calls} calls (${rate}/s), ${this.#kinds.size} different${last}\n`;
    try {
      writeSync(this.#descriptor, line);
    } catch {
      // Whoever read it has gone: the recording goes on.
      clearInterval(this.#timer);
    }
  }
}

function openToAppend(file: string): number {
  try {
    return openSync(file, 'a');
  } catch (error) {
    const problem = `Cannot write progress to "${file}": ${(error as Error).message}`;
    throw new UsageError('cannot_write', `${problem}: name a file, a terminal or /dev/stderr`, { cause: error });
  }
}
