import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** What engines of containers leave in files: JSON that a user may have written as well, so that nothing in it is taken for granted. */

/** A member of the object that a file holds; undefined where there is no such file, object or member. */
export function readMember(file: string, member: string): unknown {
  return memberOf(readJson(file), member);
}

/** The value that a file holds; undefined where it cannot be read or is no JSON. */
export function readJson(file: string): unknown {
  try {
    // Something that never ends could be there instead.
    return statSync(file).isFile() ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
  } catch {
    return undefined;
  }
}

export function memberOf(value: unknown, member: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[member] : undefined;
}

export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** What is in a folder; nothing where it cannot be read. */
export function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Folders by a path in which `*` stands for any name. */
export function foldersLike(path: string): readonly string[] {
  const [first = '', ...rest] = path.split('/*');
  return rest.reduce<readonly string[]>(
    (folders, below) => folders.flatMap((folder) => namesIn(folder).map((name) => join(folder, name + below))),
    [first],
  );
}
