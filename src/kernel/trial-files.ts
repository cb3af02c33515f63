import { type StdioOptions, spawnSync } from 'node:child_process';
import { chmodSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { closeDescriptor } from './descriptors.ts';
import { memoryFile } from './spawn.ts';

/** How a program ended, and what it wrote to the output that was asked for. */
export interface Ended {
  readonly status: number | null;
  readonly signal: string | null;
  readonly output: Buffer;
}

/** Longer than all probes take together; one that hangs is ended by its own alarm. */
const TIMEOUT_MS = 5000;

/** Where tiny programs of ours can be put so that they can be started: a temporary folder, or memory where none allows it. */
export class TrialFiles {
  /** undefined: in memory. */
  readonly #folder: string | undefined;
  readonly #descriptors: number[] = [];
  #added = 0;

  private constructor(folder: string | undefined) {
    this.#folder = folder;
  }

  /**
   * Files come before memory, because an outer filter may kill for memfd_create(2).
   *
   * @param program - ends with 0 at once; it is started to see that programs start
   * @returns undefined where no program can be started at all
   */
  static open(program: Uint8Array): TrialFiles | undefined {
    for (const place of [tmpdir(), '/dev/shm', undefined]) {
      const files = attempt(
        () => new TrialFiles(place === undefined ? undefined : mkdtempSync(join(place, 'selkie-doctor-'))),
      );
      if (files === undefined) continue;
      if (attempt(() => files.start(files.add('try', program), ['x']).status) === 0) return files;
      files.remove();
    }
    return undefined;
  }

  /**
   * Puts a program there, under a name of its own: one that was put there before may still be running, and cannot be written (ETXTBSY).
   *
   * @returns its path, as long as this process lives and `remove` was not called
   */
  add(name: string, program: Uint8Array): string {
    if (this.#folder === undefined) {
      const fd = memoryFile(name, program);
      this.#descriptors.push(fd);
      return `/proc/${process.pid}/fd/${fd}`;
    }
    this.#added += 1;
    const path = join(this.#folder, `${name}-${this.#added}`);
    writeFileSync(path, program);
    chmodSync(path, 0o700);
    return path;
  }

  /** Starts one of these programs and waits for its end. Its output goes to a file: for pipes libuv needs calls that a filter may refuse. */
  start(path: string, words: readonly string[], kept: 'stdout' | 'stderr' = 'stdout'): Ended {
    const output = this.#outputFile();
    try {
      const stdio: StdioOptions = [
        'ignore',
        ...(kept === 'stdout' ? [output.fd, 'ignore' as const] : ['ignore' as const, output.fd]),
      ];
      const { status, signal, error } = spawnSync(path, words, { stdio, timeout: TIMEOUT_MS, env: {} });
      if (error !== undefined && status === null && signal === null) throw error;
      return { status, signal, output: readFileSync(output.path) };
    } finally {
      closeSync(output.fd);
    }
  }

  #outputFile(): { readonly fd: number; readonly path: string } {
    if (this.#folder === undefined) {
      const fd = memoryFile('selkie-output', new Uint8Array());
      return { fd, path: `/proc/self/fd/${fd}` };
    }
    const path = join(this.#folder, 'output');
    return { fd: openSync(path, 'w+'), path };
  }

  remove(): void {
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true, force: true });
    for (const fd of this.#descriptors) closeDescriptor(fd);
  }
}

function attempt<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}
