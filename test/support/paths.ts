import assert from 'node:assert/strict';
import {
  chmodSync,
  closeSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { runCommand } from './selkie.ts';

/** A tree of files that a policy with `paths:` permits in part, and what test/programs/files.c may do with it. */

const [EACCES, EXDEV] = [13, 18];

export interface Trial {
  /** Words of files.c; paths are beneath the tree but for absolute ones. */
  readonly words: readonly [what: string, ...paths: string[]];
  /** What it gets where `paths:` is in force; without it, 0. */
  readonly errno: number;
  /** Only root may do it at all. */
  readonly root?: true;
  /** `exec`: a program that calls execve. */
  readonly needs?: 'exec';
}

const trial = (errno: number, ...words: [string, ...string[]]): Trial => ({ words, errno });

/** Every one succeeds without `paths:`, in this order. */
export const TRIALS: readonly Trial[] = [
  trial(0, 'read', 'readable/file'),
  trial(0, 'read', 'readable/folder/file'),
  trial(0, 'list', 'readable'),
  trial(0, 'list', 'readable/folder'),
  trial(0, 'read', 'single'),
  trial(EACCES, 'read', 'other/file'),
  trial(EACCES, 'list', 'other'),
  trial(EACCES, 'list', '/'),
  trial(EACCES, 'read', 'writable/file'),
  trial(EACCES, 'list', 'writable'),
  // What may be executed may be read.
  trial(0, 'read', 'executable/program'),
  trial(EACCES, 'list', 'executable'),
  trial(EACCES, 'read', 'readable/link-out'),
  trial(EACCES, 'read', 'readable/../other/file'),
  trial(0, 'read', 'other/link-in'),
  trial(EACCES, 'read', '/proc/self/status'),
  trial(0, 'inherited', '3'),
  trial(EACCES, 'read', '/proc/self/fd/3'),
  trial(0, 'write', 'writable/file'),
  trial(0, 'write', '/dev/null'),
  trial(EACCES, 'write', 'readable/file'),
  trial(EACCES, 'write', 'single'),
  trial(EACCES, 'write', 'other/file'),
  trial(0, 'empty', 'writable/file'),
  trial(EACCES, 'empty', 'other/file'),
  trial(0, 'truncate', 'writable/file'),
  trial(EACCES, 'truncate', 'readable/file'),
  trial(EACCES, 'truncate', 'other/file'),
  trial(0, 'create', 'writable/new'),
  trial(EACCES, 'create', 'readable/new'),
  trial(EACCES, 'create', 'other/new'),
  trial(0, 'mkdir', 'writable/made'),
  trial(EACCES, 'mkdir', 'other/made'),
  trial(0, 'rmdir', 'writable/empty'),
  trial(EACCES, 'rmdir', 'other/empty'),
  trial(0, 'symlink', 'writable/link'),
  trial(EACCES, 'symlink', 'other/link'),
  trial(0, 'fifo', 'writable/fifo'),
  trial(EACCES, 'fifo', 'other/fifo'),
  trial(0, 'socket', 'writable/socket'),
  trial(EACCES, 'socket', 'other/socket'),
  { words: ['device', 'writable/device'], errno: EACCES, root: true },
  { words: ['block', 'writable/block'], errno: EACCES, root: true },
  trial(0, 'rename', 'writable/a', 'writable/sub/a'),
  trial(EACCES, 'rename', 'writable/b', 'other/b'),
  trial(EACCES, 'rename', 'other/c', 'writable/c'),
  trial(EACCES, 'exchange', 'writable/d', 'other/d'),
  trial(EXDEV, 'rename', 'writable/e', 'executable/e'),
  trial(EXDEV, 'link', 'other/file', 'writable/hard'),
  trial(EACCES, 'link', 'writable/file', 'other/hard'),
  trial(0, 'link', 'writable/file', 'writable/sub/hard'),
  trial(0, 'unlink', 'writable/d'),
  trial(EACCES, 'unlink', 'other/d'),
  trial(EACCES, 'ioctl', '/dev/urandom'),
  trial(0, 'stat', 'other/file'),
  { words: ['execute', 'executable/program'], errno: 0, needs: 'exec' },
  { words: ['execute', 'other/program'], errno: EACCES, needs: 'exec' },
  { words: ['execute', 'readable/program'], errno: EACCES, needs: 'exec' },
];

/** Makes the tree in `folder`, for anybody to change. @param program - a static one, which succeeds without words */
export function makeTree(folder: string, program: string): string {
  const tree = mkdtempSync(join(folder, 'tree-'));
  const inside = (name: string): string => join(tree, name);
  const folders = [
    'readable',
    'readable/folder',
    'writable',
    'writable/sub',
    'writable/empty',
    'other',
    'other/empty',
    'executable',
  ];
  for (const name of folders) mkdirSync(inside(name));
  const files = ['single', 'readable/file', 'readable/folder/file', 'writable/file', 'other/file'];
  for (const letter of 'abde') files.push(`writable/${letter}`);
  for (const letter of 'cd') files.push(`other/${letter}`);
  for (const name of files) writeFileSync(inside(name), 'text');
  for (const name of ['readable', 'other', 'executable']) copyFileSync(program, inside(`${name}/program`));
  symlinkSync(inside('other/file'), inside('readable/link-out'));
  symlinkSync(inside('readable/file'), inside('other/link-in'));
  for (const name of ['', ...folders, ...files]) chmodSync(inside(name), 0o777);
  return tree;
}

/** `paths:` for that tree; `more` for what the program itself needs. */
export function pathsFor(
  tree: string,
  more: { readonly read?: readonly string[]; readonly execute?: readonly string[] } = {},
): string {
  const list = (name: string, paths: readonly string[]): string =>
    `  ${name}:\n${paths.map((path) => `    - ${path}\n`).join('')}`;
  return `paths:\n${list('read', [`${tree}/readable`, `${tree}/single`, '/dev/urandom', ...(more.read ?? [])])}${list('write', [`${tree}/writable`, `${tree}/executable`, '/dev/null', `${tree}/nowhere: optional`])}${list('execute', [`${tree}/executable`, ...(more.execute ?? [])])}`;
}

/** The trials that this user can make, by a program that calls execve or not. */
function trialsFor({ nobody, execs }: { readonly nobody: boolean; readonly execs: boolean }): readonly Trial[] {
  return TRIALS.filter(({ root, needs }) => !(root && nobody) && (execs || needs === undefined));
}

function wordsOf(trials: readonly Trial[], tree: string): readonly string[] {
  const isPath = (word: string): boolean => !word.startsWith('/') && !/^\d+$/.test(word);
  return trials.flatMap(({ words: [what, ...rest] }) => [
    what,
    ...rest.map((word) => (isPath(word) ? join(tree, word) : word)),
  ]);
}

/** A descriptor on a file that no list names, for the child's number 3. */
function openOutside(tree: string): number {
  return openSync(join(tree, 'other/file'), 'r');
}

/** One line a trial that went another way, so that a failure says which. */
function unlike(stdout: string, trials: readonly Trial[], wanted: (trial: Trial) => number): readonly string[] {
  const errnos = stdout.trim().split(' ').map(Number);
  if (errnos.length !== trials.length) return [`${errnos.length} answers for ${trials.length} trials: ${stdout}`];
  return trials.flatMap((each, index) =>
    errnos[index] === wanted(each) ? [] : [`${each.words.join(' ')}: ${errnos[index]}, wanted ${wanted(each)}`],
  );
}

/** What dynamic programs of this machine need: their file is beneath `folder`. */
export const LIBRARIES: { readonly read: readonly string[]; readonly execute: readonly string[] } = {
  read: ['/etc/ld.so.cache: optional', '/etc/ld-musl-x86_64.path: optional', '/lib/x86_64-linux-gnu', '/usr/lib'],
  execute: ['/lib64/ld-linux-x86-64.so.2', '/lib/ld-musl-x86_64.so.1: optional'],
};

export interface Given {
  readonly command: readonly string[];
  readonly tree: string;
  readonly nobody: boolean;
  /** Without `paths:`. */
  readonly isFree?: true;
  readonly execs?: boolean;
  /** What is said; nothing where absent. */
  readonly stderr?: RegExp;
}

/** The trials that went another way than `paths:` has it. */
export function failures({ command, tree, nobody, isFree, execs = true, stderr = /^$/ }: Given): readonly string[] {
  const all = trialsFor({ nobody, execs });
  const outside = openOutside(tree);
  const result = runCommand([...command, ...wordsOf(all, tree)], {
    nobody,
    timeout: 20_000,
    stdio: ['ignore', 'pipe', 'pipe', outside],
  });
  closeSync(outside);
  assert.match(result.stderr, stderr);
  assert.equal(result.status, 7);
  return unlike(result.stdout, all, ({ errno }) => (isFree ? 0 : errno));
}

/** Calls by which `paths:` is put in force, and how an outer filter may answer them in the kernel's place. */
export const LANDLOCK_CALLS = {
  openat: 257,
  fstat: 5,
  close: 3,
  create_ruleset: 444,
  add_rule: 445,
  restrict_self: 446,
} as const;
export const ANSWERS = ['0', '1', '2', '9', '22', '38', 'kill', 'listener'] as const;

/**
 * Runs a confined files.c under an outer filter that answers one call in each way, and checks that nothing is done that `paths:` refuses.
 *
 * @param outer - test/programs/outer.c
 * @param command - the confined program, its trials left out
 */
export function checkFailsClosed(
  outer: string,
  call: keyof typeof LANDLOCK_CALLS,
  command: readonly string[],
  tree: string,
): void {
  const all = trialsFor({ nobody: false, execs: true });
  for (const how of ANSWERS) {
    const outside = openOutside(tree);
    const words = [outer, how, `${LANDLOCK_CALLS[call]}`, ...command, ...wordsOf(all, tree)];
    const result = runCommand(words, { timeout: 20_000, stdio: ['ignore', 'pipe', 'pipe', outside] });
    closeSync(outside);
    const what = `${call} by ${how}: ${JSON.stringify(result)}`;
    assert.notEqual(result.signal, 'SIGTERM', what);
    if (result.stdout === '') assert.ok(result.status !== 0 && result.status !== 7, what);
    const errnos = result.stdout.trim().split(' ').map(Number);
    const done = all.filter(({ errno }, index) => errno !== 0 && errnos[index] === 0);
    // A call that the outer filter answers by 0 seems to be done, and is not.
    if (!(['0', 'listener'].includes(how) && call === 'openat')) assert.deepEqual(done, [], what);
    if (call === 'create_ruleset' || call === 'restrict_self') assert.equal(result.stdout, '', what);
  }
}
