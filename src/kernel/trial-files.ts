import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { closeDescriptor } from './descriptors.ts';
import { memoryFile } from './spawn.ts';

/** Where tiny programs of ours can be put so that they can be started: a temporary folder, or memory where none allows it. */
export class TrialFiles {
  /** undefined: in memory. */
  readonly #folder: string | undefined;
  readonly #descriptors: number[] = [];

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
      if (attempt(() => spawnSync(files.add('try', program), ['x']).status) === 0) return files;
      files.remove();
    }
    return undefined;
  }

  /** Puts a program there. @returns its path, as long as this process lives and `remove` was not called */
  add(name: string, program: Uint8Array): string {
    if (this.#folder === undefined) {
      const fd = memoryFile(name, program);
      this.#descriptors.push(fd);
      return `/proc/${process.pid}/fd/${fd}`;
    }
    const path = join(this.#folder, name);
    writeFileSync(path, program);
    chmodSync(path, 0o700);
    return path;
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
