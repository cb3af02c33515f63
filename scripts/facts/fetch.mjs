/**
 * Fetches the raw inputs of the facts into a folder: the uapi headers of every arch (as shipped with the Zig compiler, which
 * is also the C compiler that evaluates constants for any arch) and Debian's copies of the kernel's own headers and man pages.
 * Needs a Debian system, pip and the network. `capture.mjs` reads what this leaves.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

export const ZIG = 'ziglang==0.17.1';
const DEBIAN_PACKAGES = ['linux-headers-6.12.117+deb12-common', 'manpages-dev'];

const run = (cwd, command, ...args) => execFileSync(command, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'] });

/** Downloads and unpacks what is not there yet; answers where each input lies. */
export function fetchInputs(cache) {
  mkdirSync(cache, { recursive: true });
  const zig = join(cache, 'zig', 'ziglang');
  if (!existsSync(zig)) {
    run(cache, 'pip', 'download', '--quiet', '--no-deps', ZIG);
    const wheel = readdirSync(cache).find((name) => name.startsWith('ziglang-') && name.endsWith('.whl'));
    run(cache, 'python3', '-m', 'zipfile', '-e', wheel, 'zig');
    run(zig, 'chmod', '+x', 'zig');
  }
  const debian = join(cache, 'debian');
  if (!existsSync(debian)) {
    run(cache, 'apt-get', 'download', ...DEBIAN_PACKAGES);
    for (const name of readdirSync(cache).filter((file) => file.endsWith('.deb')))
      run(cache, 'dpkg', '-x', name, 'debian');
  }
  const sources = join(debian, 'usr', 'src');
  const kernel = readdirSync(sources).find((name) => name.endsWith('-common'));
  return {
    zig: join(zig, 'zig'),
    headers: join(zig, 'lib', 'libc', 'include'),
    kernelHeaders: join(sources, kernel, 'include'),
    man: join(debian, 'usr', 'share', 'man', 'man2'),
    tracing: '/sys/kernel/tracing/events/syscalls',
    man3: join(debian, 'usr', 'share', 'man', 'man3'),
  };
}
