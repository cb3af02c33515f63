// Where the sources are, and when the newest of them changed.
import { readdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

/** Every file under `folder` (relative to the project), sorted. */
export function filesUnder(folder) {
  return readdirSync(`${root}${folder}`, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath ?? entry.path}/${entry.name}`)
    .sort();
}

/** Newest modification time (ms) of anything that a build reads. */
export function newestChange() {
  const files = [
    ...['src', 'test', 'bench', 'scripts'].flatMap(filesUnder),
    `${root}package.json`,
    `${root}tsconfig.json`,
  ];
  return Math.max(...files.map((file) => statSync(file).mtimeMs));
}
