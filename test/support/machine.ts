import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { interpreterOf, readElf } from '../../src/elf/read.ts';
import { compileC } from './programs.ts';
import { ROOT } from './selkie.ts';

/** Other kernels: Debian's own, booted under qemu with a file system in memory that runs what a test put there. */

const MIRROR = 'https://deb.debian.org/debian';
const MACHINE_TIMEOUT_MS = 1_500_000;

function download(url: string): Buffer {
  return execFileSync('curl', ['-fsSL', '--retry', '3', url], { maxBuffer: 1 << 28 });
}

/** A machine that qemu is. */
export interface Guest {
  readonly debian: string;
  readonly qemu: readonly string[];
  readonly console: string;
  readonly megabytes: number;
  /** What compiles for it. */
  readonly compiler: () => string;
  /** An archive of the files that are there already; absent: none. */
  readonly base?: () => string;
}
const X86_64: Guest = {
  debian: 'amd64',
  qemu: ['qemu-system-x86_64', '-M', 'q35', '-cpu', 'max'],
  console: 'ttyS0',
  megabytes: 2048,
  compiler: () => 'gcc',
};

/** The newest cloud kernel of a Debian release, downloaded once. @returns the path of its vmlinuz, and its release */
export function debianKernel(
  suite: string,
  { debian }: Guest = X86_64,
): { readonly path: string; readonly release: string } {
  const cache = join(tmpdir(), 'selkie-kernels', debian === 'amd64' ? suite : `${suite}-${debian}`);
  if (!existsSync(cache)) {
    const index = execFileSync('xz', ['-dc'], {
      input: download(`${MIRROR}/dists/${suite}/main/binary-${debian}/Packages.xz`),
      maxBuffer: 1 << 28,
    }).toString();
    const name = new RegExp(`^Package: linux-image-[\\d.]+-\\d+-cloud-${debian}\\n`);
    const entries = index.split('\n\n').filter((entry) => name.test(entry));
    const entry = entries.at(-1) ?? '';
    const field = (name: string): string => new RegExp(`^${name}: (.*)$`, 'm').exec(entry)?.[1] ?? '';
    const bytes = download(`${MIRROR}/${field('Filename')}`);
    if (createHash('sha256').update(bytes).digest('hex') !== field('SHA256'))
      throw new Error(`${field('Filename')}: wrong SHA-256`);
    mkdirSync(`${cache}.new`, { recursive: true });
    writeFileSync(`${cache}.new/image.deb`, bytes);
    execFileSync('dpkg-deb', ['-x', `${cache}.new/image.deb`, `${cache}.new`]);
    renameSync(`${cache}.new`, cache);
  }
  const name = readdirSync(join(cache, 'boot')).find((file) => file.startsWith('vmlinuz-')) ?? '';
  return { path: join(cache, 'boot', name), release: name.slice('vmlinuz-'.length) };
}

/** A file system in memory under construction. */
export class GuestFiles {
  readonly folder: string;
  readonly #cases: string[] = [];
  readonly #guest: Guest;

  constructor(folder: string, guest: Guest = X86_64) {
    this.folder = folder;
    this.#guest = guest;
    mkdirSync(folder, { recursive: true });
    const source = readFileSync(join(ROOT, 'test/programs/init.c'), 'utf8');
    compileC(dirname(folder), 'init', source, ['-static'], guest.compiler());
    cpSync(join(dirname(folder), 'init'), join(folder, 'init'));
  }

  /** Copies a file or folder of this machine to the same path there. */
  addHostPath(path: string): void {
    if (existsSync(join(this.folder, path))) return;
    mkdirSync(dirname(join(this.folder, path)), { recursive: true });
    cpSync(path, join(this.folder, path), { recursive: true, dereference: true });
  }

  /** Adds an executable at /NAME, and unless there are files already its loader and the libraries that ldd names. */
  addProgram(name: string, file: string): void {
    cpSync(file, join(this.folder, name), { dereference: true });
    if (this.#guest.base) return;
    const { stdout } = spawnSync('ldd', [file], { encoding: 'utf8' });
    for (const match of stdout.matchAll(/(\/\S+) \(0x/g)) if (match[1] !== undefined) this.addHostPath(match[1]);
    // ldd is glibc's: it says nothing good of programs with another loader.
    const interpreter = interpreterOf(readElf(readFileSync(file)));
    if (interpreter !== undefined) this.addHostPath(interpreter);
  }

  /** Adds a command line to run. */
  addCase(label: string, ...words: readonly string[]): void {
    this.#cases.push([label, ...words].join('\t'));
  }

  /** Packs all. @returns the path of the archive, a newc cpio */
  pack(): string {
    writeFileSync(join(this.folder, 'cases'), `${this.#cases.join('\n')}\n`);
    const archive = `${this.folder}.cpio`;
    // The kernel unpacks archives that follow each other (Documentation/driver-api/early-userspace/buffer-format.rst).
    const pack = 'to=$1; shift; { if [ $# -gt 0 ]; then cat "$@"; fi; find . | cpio -o -H newc --quiet; } > "$to"';
    const base = this.#guest.base ? [this.#guest.base()] : [];
    execFileSync('sh', ['-ec', pack, 'sh', archive, ...base], { cwd: this.folder });
    return archive;
  }
}

/** How a case ended there. */
export interface CaseResult {
  /** Exit code, or 128 + signal. */
  readonly status: number;
  readonly output: string;
  /** The same as it was written. */
  readonly bytes: Buffer;
}

/** Boots a kernel and runs the cases. @returns what each label did @throws {Error} where the machine does not come to its end */
export function runMachine(
  kernel: string,
  archive: string,
  { qemu, console, megabytes }: Guest = X86_64,
): ReadonlyMap<string, CaseResult> {
  const [program = '', ...machine] = qemu;
  const words = [...machine, '-accel', 'tcg', '-m', `${megabytes}`, '-display', 'none', '-no-reboot'];
  const boot = ['-kernel', kernel, '-initrd', archive, '-append', `console=${console} quiet loglevel=0 panic=-1`];
  const { stdout } = spawnSync(program, [...words, '-serial', 'stdio', ...boot], {
    encoding: 'latin1',
    timeout: MACHINE_TIMEOUT_MS,
    maxBuffer: 1 << 26,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const text = /\nbegin\r?\n(.*)\nend\r?\n/s.exec(stdout)?.[1];
  if (text === undefined) throw new Error(`the machine did not come to its end: ${stdout.slice(-2000)}`);
  const results = new Map<string, CaseResult>();
  for (const match of text.matchAll(/^case (\S+) (-?\d+) ([0-9a-f]*)\r?$/gm)) {
    const word = Number(match[2]);
    const status = (word & 0x7f) === 0 ? (word >> 8) & 0xff : 128 + (word & 0x7f);
    const bytes = Buffer.from(match[3] ?? '', 'hex');
    results.set(match[1] ?? '', { status, output: bytes.toString(), bytes });
  }
  return results;
}
