import { readdirSync, readFileSync } from 'node:fs';

/** Guards of recordings (src/elf/stubs/guard-x86-64.ts) that are left, of a test's own: others record meanwhile. */

const VARIABLE = 'SELKIE_TEST_RECORDING';

/** An environment by which the guards that it comes to are known. */
export function marked(mark: string): NodeJS.ProcessEnv {
  return { ...process.env, [VARIABLE]: mark };
}

/** Process ids of guards that have that environment. */
export function guardsLeft(mark: string): readonly string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid) || !read(pid, 'cmdline').startsWith('selkie-guard')) return false;
    return read(pid, 'environ').split('\0').includes(`${VARIABLE}=${mark}`);
  });
}

function read(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch {
    return '';
  }
}
