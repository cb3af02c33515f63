import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

function newFolder(mode: number): string {
  const folder = mkdtempSync(join(tmpdir(), 'selkie-test-'));
  chmodSync(folder, mode);
  return folder;
}

const remove = (folder: string): void => rmSync(folder, { recursive: true, force: true });

/** A folder that anybody may write to, removed when the test ends. */
export function scratchFolder(context: TestContext): string {
  const folder = newFolder(0o777);
  context.after(() => remove(folder));
  return folder;
}

/** A folder that anybody may read, for what several tests share; removed when the process ends. */
export function temporaryFolder(): string {
  const folder = newFolder(0o755);
  process.on('exit', () => remove(folder));
  return folder;
}
