import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Debian packages that are unpacked into folders, not installed: they conflict with nothing, and may be of another machine. */

const SUITE = 'bookworm';
/** Top folders that are links into /usr: unpacking must not replace them. */
const LINKS = ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32'];

/** Makes a folder that looks like / : its top folders are links into /usr, as Debian has it. */
export function makeRoot(root: string): void {
  for (const name of ['usr', 'etc']) fs.mkdirSync(join(root, name), { recursive: true });
  for (const name of LINKS) fs.symlinkSync(`usr/${name}`, join(root, name));
  for (const name of LINKS) fs.mkdirSync(join(root, 'usr', name));
}

/** Unpacks the packages of a folder of archives, without the paths that tar(1) patterns name. */
export function unpackArchives(archives: string, root: string, without: readonly string[] = []): void {
  const unpack =
    'from=$1 to=$2; shift 2; for file in "$from"/*.deb; do dpkg-deb --fsys-tarfile "$file" | tar -x --keep-directory-symlink "$@" -C "$to"; done';
  const excluded = without.map((pattern) => `--exclude=${pattern}`);
  execFileSync('sh', ['-ec', unpack, 'sh', archives, root, ...excluded]);
}

export interface DebianPackages {
  /** A Debian architecture. */
  readonly architecture: string;
  /** All that they depend on comes too. */
  readonly packages: readonly string[];
  /** What to leave out, as patterns of tar(1). */
  readonly without?: readonly string[];
  /** Whether to make it look like /; else /lib and /usr/lib stay apart. */
  readonly isRoot: boolean;
}

/** Downloads packages by an apt whose state is its own, once, and unpacks them. @returns the folder, to be left as it is */
export function unpackedDebian(wanted: DebianPackages): string {
  const key = createHash('sha256').update(JSON.stringify(wanted)).digest('hex').slice(0, 12);
  const folder = join(tmpdir(), 'selkie-debian', `${wanted.architecture}-${key}`);
  if (fs.existsSync(folder)) return folder;
  // Other suites may do the same beside.
  const work = `${folder}.${process.pid}`;
  const archives = download(work, wanted);
  const root = join(work, 'root');
  fs.mkdirSync(root);
  if (wanted.isRoot) makeRoot(root);
  unpackArchives(archives, root, wanted.without);
  if (!fs.existsSync(folder)) fs.renameSync(root, folder);
  fs.rmSync(work, { recursive: true });
  return folder;
}

/** @returns the folder of archives */
function download(work: string, { architecture, packages }: DebianPackages): string {
  const archives = join(work, 'archives');
  for (const path of ['state/lists/partial', 'archives/partial']) fs.mkdirSync(join(work, path), { recursive: true });
  // No package is installed.
  fs.writeFileSync(join(work, 'status'), '');
  const key = '/usr/share/keyrings/debian-archive-keyring.gpg';
  fs.writeFileSync(join(work, 'sources.list'), `deb [signed-by=${key}] http://deb.debian.org/debian ${SUITE} main\n`);
  const settings = {
    'APT::Architecture': architecture,
    'APT::Architectures': architecture,
    'APT::Sandbox::User': 'root',
    'Acquire::Languages': 'none',
    'Dir::Cache': work,
    'Dir::Cache::archives': archives,
    'Dir::Etc::sourcelist': join(work, 'sources.list'),
    'Dir::Etc::sourceparts': '-',
    'Dir::State': join(work, 'state'),
    'Dir::State::status': join(work, 'status'),
  };
  const words = Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  const apt = (...command: string[]): void => {
    execFileSync('apt-get', ['-qq', ...words, ...command], { stdio: ['ignore', 'ignore', 'inherit'] });
  };
  apt('update');
  apt('install', '-y', '--no-install-recommends', '--download-only', ...packages);
  return archives;
}
