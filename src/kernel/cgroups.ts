import { readdirSync, readFileSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { UnsupportedError, UsageError } from '../base/errors.ts';

/** Cgroups of v2, as folders (Documentation/admin-guide/cgroup-v2.rst). */

/** include/uapi/linux/magic.h */
const CGROUP2_SUPER_MAGIC = 0x6367_7270;
const CGROUP_SUPER_MAGIC = 0x27_e0eb;
/** The inode of the hierarchy's root: struct kernfs_root's first node. */
const ROOT_INODE = 1n;

/** A cgroup of v2. */
export interface Cgroup {
  /** As /proc/PID/cgroup writes it. */
  readonly path: string;
  readonly folder: string;
  /** The kernel's id of it, which is the inode number of its folder. */
  readonly id: bigint;
  /** How many cgroups are above it. */
  readonly level: number;
}

/**
 * Where all of v2 is mounted.
 *
 * @throws {UnsupportedError} nowhere, or only a part of it (a cgroup namespace)
 */
export function cgroupRoot(): string {
  const mounts = cgroupMounts();
  const whole = mounts.find((folder) => statSync(folder, { bigint: true }).ino === ROOT_INODE);
  if (whole !== undefined) return whole;
  const found = mounts.length === 0 ? 'cgroup v2 is not mounted here' : 'a cgroup namespace shows a part of them only';
  const advice = mounts.length === 0 ? 'use --pid PID --children for those of v1' : 'run Selkie on the host';
  throw new UnsupportedError('cgroup v2', `Cannot look at cgroups: /proc/self/mountinfo: ${found}: ${advice}`, '4.5');
}

/** Mount points of cgroup2: proc_pid_mountinfo(5), which writes a blank as \040. */
function cgroupMounts(): readonly string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes(' - cgroup2 '))
    .map((line) =>
      (line.split(' ')[4] ?? '').replace(/\\(\d{3})/g, (_, octal) => String.fromCharCode(parseInt(octal, 8))),
    );
}

/**
 * Finds a cgroup by its folder, or by its path as /proc/PID/cgroup writes it.
 *
 * @throws {UsageError} `no_cgroup` there is none, or it is one of v1
 * @throws {UnsupportedError} as cgroupRoot
 */
export function findCgroup(word: string): Cgroup {
  const root = cgroupRoot();
  const isFolder = word === root || word.startsWith(`${root}/`);
  const folder = isFolder ? join(word) : join(root, join('/', word));
  const type = fileSystemOf(folder);
  if (type === CGROUP2_SUPER_MAGIC) return cgroupAt(root, folder.replace(/(?<=.)\/$/, ''));
  const of = fileSystemOf(word) === CGROUP_SUPER_MAGIC ? 'it is a cgroup of v1: use --pid PID --children' : undefined;
  const wanted = `wanted a folder below ${root}, or a path as /proc/PID/cgroup has it behind "0::"`;
  throw new UsageError('no_cgroup', `Cannot find cgroup "${word}": ${of ?? `there is none: ${wanted}`}`);
}

function cgroupAt(root: string, folder: string): Cgroup {
  const path = folder.slice(root.length) || '/';
  const level = path.split('/').filter((name) => name !== '').length;
  return { path, folder, id: statSync(folder, { bigint: true }).ino, level };
}

function fileSystemOf(folder: string): number | undefined {
  try {
    return statfsSync(folder).type;
  } catch {
    return undefined;
  }
}

/** Whether it is still there: another with its name has another id. */
export function cgroupExists({ folder, id }: Cgroup): boolean {
  try {
    return statSync(folder, { bigint: true }).ino === id;
  } catch {
    return false;
  }
}

/** A cgroup and all below it; the root's first. What goes meanwhile is left out. */
export function cgroupsBelow(root: Cgroup): readonly Cgroup[] {
  const found = [root];
  for (const name of foldersIn(root.folder)) {
    const folder = join(root.folder, name);
    try {
      const id = statSync(folder, { bigint: true }).ino;
      found.push(...cgroupsBelow({ path: join(root.path, name), folder, id, level: root.level + 1 }));
    } catch {}
  }
  return found;
}

function foldersIn(folder: string): readonly string[] {
  try {
    const entries = readdirSync(folder, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch {
    return [];
  }
}

/** Processes in a cgroup, not those below it; of a threaded one none: cgroup.procs cannot be read there. */
export function processesIn({ folder }: Cgroup): readonly number[] {
  try {
    const text = readFileSync(join(folder, 'cgroup.procs'), 'latin1');
    return text
      .split('\n')
      .map(Number)
      .filter((pid) => pid > 0);
  } catch {
    return [];
  }
}
