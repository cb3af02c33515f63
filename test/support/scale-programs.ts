import { execFileSync, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isElf } from '../../src/elf/read.ts';
import { makeRoot, unpackArchives } from './debian.ts';

/** Every ELF executable of this machine's /usr, and of many Debian packages that are unpacked, not installed. */

/** Databases, servers, compilers, interpreters, programs with windows, drawing, disks, 32-bit programs (valgrind's). */
const PACKAGES =
  `postgresql mariadb-server redis-server sqlite3 memcached nginx-light apache2-bin lighttpd haproxy clang-14 llvm-14 tcc
gfortran-12 ocaml-nox fp-compiler-3.2.2 nasm ruby3.1 lua5.4 php8.2-cli guile-3.0 tcl8.6 ghostscript swi-prolog-nox erlang-base r-base-core xterm gimp
chromium qemu-user-static qemu-system-x86 busybox-static valgrind git ffmpeg imagemagick-6.q16 samba-common-bin texlive-binaries graphviz x11-utils
x11-apps poppler-utils netpbm mtools e2fsprogs btrfs-progs lvm2 cups-client bind9-dnsutils tcpdump gdal-bin`.split(
    /\s+/,
  );

export const PACKAGE_COUNT: number = PACKAGES.length;

/** Where executables stand; libraries and modules are elsewhere. */
const FOLDERS =
  /^\/usr(?:\/local)?(?:\/lib(?:exec)?\/.*)?\/(?:s?bin|libexec)\/|^\/usr\/libexec\/|^\/usr\/lib\/chromium\//;
const LIBRARY = /\.so(?:\.|$)/;
/** Downloads the packages with all that they need, and unpacks them. @returns a folder that looks like / */
export function unpackedPackages(): string {
  const folder = join(tmpdir(), 'selkie-scale');
  const root = join(folder, 'root');
  if (fs.existsSync(root)) return root;
  const archives = join(folder, 'archives');
  fs.mkdirSync(join(archives, 'partial'), { recursive: true });
  execFileSync('apt-get', ['update', '-qq'], { stdio: ['ignore', 'ignore', 'inherit'] });
  const words = ['install', '-y', '-qq', '--no-install-recommends', '--download-only', '--reinstall'];
  const settings = ['-o', `Dir::Cache::archives=${archives}`, '-o', 'APT::Sandbox::User=root'];
  execFileSync('apt-get', [...words, ...settings, ...PACKAGES], { stdio: ['ignore', 'ignore', 'inherit'] });
  fs.rmSync(`${root}.new`, { recursive: true, force: true });
  makeRoot(`${root}.new`);
  unpackArchives(archives, `${root}.new`);
  fs.rmSync(archives, { recursive: true });
  fs.renameSync(`${root}.new`, root);
  return root;
}

/** An executable: where it is seen when it runs, and where its bytes are. */
export interface ScaleProgram {
  readonly path: string;
  readonly file: string;
}

/** The executables of /usr as it is seen with the packages laid over it; each file once, whatever links lead to it. */
export function executables(root: string): readonly ScaleProgram[] {
  const found = new Map<string, ScaleProgram>();
  for (const base of [root, '']) {
    const { stdout } = spawnSync('find', [`${base}/usr`, '-xdev', '-type', 'f', '-perm', '/111', '-print0'], {
      encoding: 'utf8',
      maxBuffer: 1 << 28,
    });
    for (const file of stdout.split('\0')) {
      const path = file.slice(base.length);
      if (!FOLDERS.test(path) || LIBRARY.test(path) || found.has(path) || !beginsAsElf(file)) continue;
      found.set(path, { path, file });
    }
  }
  const seen = new Set<string>();
  return [...found.values()].filter(({ file }) => {
    const { dev, ino } = fs.statSync(file);
    const isNew = !seen.has(`${dev}:${ino}`);
    seen.add(`${dev}:${ino}`);
    return isNew;
  });
}

function beginsAsElf(file: string): boolean {
  const fd = fs.openSync(file, 'r');
  try {
    const start = Buffer.alloc(4);
    return fs.readSync(fd, start, 0, 4, 0) === 4 && isElf(start);
  } finally {
    fs.closeSync(fd);
  }
}
