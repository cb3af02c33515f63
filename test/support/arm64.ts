import { execFileSync } from 'node:child_process';
import { existsSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { unpackedDebian } from './debian.ts';
import type { Guest } from './machine.ts';
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
