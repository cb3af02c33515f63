import { execFileSync } from 'node:child_process';
import { lstatSync, readlinkSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { ROOT } from './selkie.ts';

/** Programs of Debian for AArch64, each with a small job; what they read is of the files below, or of Debian's. */

export const INPUTS: Readonly<Record<string, string>> = {
  data: Array.from({ length: 40 }, (_, line) => `${line} ${(line * 7919) % 101} root:x:${line}\n`).join(''),
  'script.awk': '{ sum += $2 } END { print NR, sum; system("echo child") }\n',
  'script.tcl': 'puts [expr {6 * 7}]; puts [exec echo child]; puts [lsort {c a b}]\n',
  'script.sql': 'create table t(a); insert into t values (1), (2); select sum(a) from t;\n',
  'script.bc': 'scale=20; 4*a(1)\n',
  Makefile: 'all: ; @echo made; echo $(words a b c)\n',
  'include.h': '#include <stddef.h>\n#define A(x) x + x\nA(2)\n',
  'change.patch': '--- /data\n+++ /changed\n@@ -1 +1 @@\n-0 0 root:x:0\n+changed\n',
};

const SHELL = 'for i in 1 2; do echo $i; done; (echo sub); ls / | wc -l; echo $((6 * 7))';

/** A path and its words. */
export const PROGRAMS: readonly (readonly string[])[] = [
  ['/usr/bin/apt', '--version'],
  ['/usr/bin/base64', '/data'],
  ['/usr/bin/bash', '-c', SHELL],
  ['/usr/bin/bc', '-lq', '/script.bc'],
  ['/usr/bin/busybox', 'sh', '-c', SHELL],
  ['/usr/bin/bzip2', '-c', '/data'],
  ['/usr/bin/colrm', '--version'],
  ['/usr/lib/gcc/aarch64-linux-gnu/12/cc1', '-E', '-quiet', '/include.h'],
  ['/usr/bin/curl', '-s', 'file:///data'],
  ['/usr/bin/dash', '-c', SHELL],
  ['/usr/bin/date', '-u', '-d', '@86400'],
  ['/usr/bin/dc', '-e', '2 100 ^p'],
  ['/usr/bin/dd', 'if=/data', 'bs=16', 'count=3', 'status=none'],
  ['/usr/bin/diff', '/data', '/Makefile'],
  ['/usr/bin/dig', '-v'],
  ['/usr/bin/dpkg', '--version'],
  ['/usr/bin/file', '/usr/bin/bash'],
  ['/usr/bin/find', '/usr/lib/python3.11/encodings'],
  ['/usr/bin/gawk', '-f', '/script.awk', '/data'],
  ['/usr/bin/git', 'hash-object', '/data'],
  ['/usr/bin/gpg', '--version'],
  ['/usr/bin/gpgv', '--version'],
  ['/usr/bin/grep', '-n', '1 root', '/data'],
  ['/usr/bin/gzip', '-cn', '/data'],
  ['/usr/bin/hostname', '--version'],
  ['/usr/bin/jq', '-n', '[range(10)|.*.]|add'],
  ['/usr/bin/less', '--version'],
  ['/usr/bin/ls', '-1', '/usr/lib'],
  ['/usr/bin/lua5.4', '-e', 'local s = 0; for i = 1, 1e5 do s = s + i end; print(s)'],
  ['/usr/bin/m4', '/include.h'],
  ['/usr/bin/make', '-f', '/Makefile'],
  ['/usr/bin/mawk', '-f', '/script.awk', '/data'],
  ['/usr/bin/memcached', '-h'],
  ['/usr/bin/openssl', 'dgst', '-sha512', '/data'],
  ['/usr/bin/patch', '-o', '-', '/data', '/change.patch'],
  ['/usr/bin/perl', '-e', 'print join(",", map { $_ ** 2 } 1 .. 20), "\\n"; print `echo child`'],
  ['/usr/bin/ping', '-V'],
  ['/usr/bin/ps', '--version'],
  [
    '/usr/bin/python3.11',
    '-c',
    'import os, re; print(sum(range(10**5)), re.sub("a", "b", os.uname().machine), flush=True); os.system("echo child")',
  ],
  ['/usr/bin/readelf', '-h', '/usr/bin/bash'],
  ['/usr/bin/redis-cli', '--version'],
  ['/usr/bin/redis-server', '--version'],
  ['/usr/bin/rsync', '--version'],
  ['/usr/bin/sed', '-n', 's/root/toor/p', '/data'],
  ['/usr/bin/sha256sum', '/usr/bin/bash', '/usr/bin/perl'],
  ['/usr/bin/sort', '-rn', '/data'],
  ['/usr/bin/sqlite3', ':memory:', '.read /script.sql'],
  ['/usr/bin/strace', '--version'],
  ['/usr/bin/tar', '-cf', '-', '--mtime=@0', '/data'],
  ['/usr/bin/tclsh8.6', '/script.tcl'],
  ['/usr/bin/vim.tiny', '--version'],
  ['/usr/bin/wget', '--version'],
  ['/usr/bin/xz', '-c', '/data'],
  ['/usr/bin/zstd', '-qc', '/data'],
  ['/usr/sbin/ip', '-V'],
  ['/usr/sbin/lighttpd', '-v'],
  ['/usr/sbin/nginx', '-V'],
];

/** Where the bytes of a program are, in a folder that looks like /. */
export function fileOf(root: string, path: string): string {
  const file = join(root, path);
  if (!lstatSync(file).isSymbolicLink()) return file;
  return fileOf(root, resolve(dirname(path), readlinkSync(file)));
}

/** Go's own tool-chains, which `go` fetches as modules; Debian's is another command. */
const TOOLCHAINS = ['go1.21.13', 'go1.23.12', 'go1.25.3', 'local'];

/** Builds test/programs/uname.go for AArch64 by several versions of Go, and with several flags. @returns the files */
export function goPrograms(folder: string): readonly string[] {
  const build = (toolchain: string, name: string, flags: readonly string[]): string => {
    const output = join(folder, name);
    const env = { ...process.env, GOTOOLCHAIN: toolchain, GOARCH: 'arm64', CGO_ENABLED: '0', GOFLAGS: '' };
    execFileSync('go', ['build', ...flags, '-o', output, join(ROOT, 'test/programs/uname.go')], { cwd: folder, env });
    return output;
  };
  return [
    ...TOOLCHAINS.map((toolchain) => build(toolchain, `uname-${toolchain}`, [])),
    build('local', 'uname-pie', ['-buildmode=pie']),
    build('local', 'uname-stripped', ['-ldflags=-s -w']),
  ];
}
