import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

/** False when every tool is on the PATH, else the reason to skip a test. */
export function missingTools(...names: readonly string[]): false | string {
  const missing = names.filter((name) => !onPath(name));
  return missing.length === 0 ? false : `missing here: ${missing.join(', ')}`;
}

function onPath(name: string): boolean {
  return (process.env.PATH ?? '').split(':').some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** False where gcc compiles and links with these flags (`-m32` wants another libc), else the reason to skip a test. */
export function cannotCompile(...flags: readonly string[]): false | string {
  const result = spawnSync('gcc', [...flags, '-x', 'c', '-o', '/dev/null', '-'], {
    input: 'int main(void) { return 0; }',
  });
  return result.status === 0 ? false : `gcc ${flags.join(' ')} does not work here`;
}
