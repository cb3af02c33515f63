import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Tiny programs that tests run, compiled on the spot. */

/** Whether a command is there. */
export function hasTool(name: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${name}`]).status === 0;
}

/** A folder that is gone when the process ends, readable by every user. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'selkie-test-'));
  execFileSync('chmod', ['755', folder]);
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Compiles C and returns the executable's path. */
export function compileC(folder: string, name: string, source: string, flags: readonly string[] = []): string {
  const file = join(folder, name);
  writeFileSync(`${file}.c`, source);
  execFileSync('gcc', ['-O1', '-o', file, `${file}.c`, ...flags]);
  return file;
}
