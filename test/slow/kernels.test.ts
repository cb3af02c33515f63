import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { writeLauncher } from '../../src/apply/launcher.ts';
import { sealFile } from '../../src/apply/seal.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { buildProgram, C_BUILDS, cannotBuild, GO_BUILDS } from '../support/builds.ts';
import { denying, NR } from '../support/filters.ts';
import { temporaryFolder } from '../support/folders.ts';
import { debianKernel, GuestFiles, runMachine } from '../support/machine.ts';
import { MORE_ODD } from '../support/more-odd-elf.ts';
import { ODD } from '../support/odd-elf.ts';
import { compileC } from '../support/programs.ts';
import { missingTools } from '../support/tools.ts';

/** Sealed binaries of every kind on Debian's older kernels, beside their originals. */

const skip = missingTools('qemu-system-x86_64', 'cpio', 'curl', 'xz', 'dpkg-deb', 'gcc');
const folder = temporaryFolder();
const python = '/usr/bin/python3.11';
const SAY_UNAME = 'import os; print(os.uname().sysname)';

interface Kind {
  readonly name: string;
  readonly file: string;
  readonly words: readonly string[];
  /** Its exit code where uname(2) is refused. */
  readonly refused: number;
}

function kinds(): readonly Kind[] {
  const built = [...C_BUILDS, ...GO_BUILDS]
    .filter((build) => cannotBuild(build) === false)
    .map((build) => {
      const source = build.tool === 'go' ? 'uname.go' : 'uname.c';
      const { path } = buildProgram(build, source, folder);
      return { name: build.name.replace(/\W/g, '-'), file: path, words: ['one', 'two'], refused: 8 };
    });
  const source = readFileSync(new URL('../../../test/programs/uname.c', import.meta.url), 'utf8');
  const ballast = 'static char ballast[120 << 20] __attribute__((used)) = {1};\n';
  const large = { name: 'large', file: compileC(folder, 'large', ballast + source), words: [], refused: 8 };
  const rust = join(folder, 'rust');
  writeFileSync(`${rust}.rs`, 'fn main() { println!("rust {}", std::env::args().count()); std::process::exit(7) }');
  if (missingTools('rustc') === false) execFileSync('rustc', ['-O', '-o', rust, `${rust}.rs`]);
  return [
    ...built,
    large,
    ...(missingTools('rustc') === false ? [{ name: 'rust', file: rust, words: ['one'], refused: 7 }] : []),
    { name: 'ls', file: realpathSync('/bin/ls'), words: ['-a', '/'], refused: 0 },
    { name: 'python', file: python, words: ['-I', '-S', '-c', SAY_UNAME], refused: 1 },
  ];
}

/** The label of a case; what runs is /NAME, so that argv[0] is the same in all. */
const places = ['original', 'harmless', 'denying'] as const;

let archive = '';
let all: readonly Kind[] = [];
before(() => {
  if (skip !== false) return;
  all = kinds();
  const guest = new GuestFiles(join(folder, 'guest'));
  for (const path of ['/usr/lib/python3.11/encodings', '/usr/lib/python3.11/abc.py']) guest.addHostPath(path);
  for (const name of ['codecs', 'io', 'os', 'stat', 'posixpath', 'genericpath', '_collections_abc', 'types', 'enum'])
    guest.addHostPath(`/usr/lib/python3.11/${name}.py`);
  const policyText = 'selkie: 1\n';
  for (const { name, file, words } of all) {
    const seal = (place: string, number: number): string =>
      sealFile({ binary: file, program: denying(number), policyText, output: join(folder, `${name}.${place}`) }).path;
    guest.addProgram(`${name}.original`, file);
    guest.addProgram(`${name}.harmless`, seal('harmless', NR.socket));
    guest.addProgram(`${name}.denying`, seal('denying', NR.uname));
    for (const place of places) guest.addCase(`${name}.${place}`, `/${name}.${place}`, ...words);
  }
  archive = guest.pack();
});

for (const suite of ['bullseye', 'bookworm'])
  test(`Debian ${suite}: sealed binaries of every kind behave as their originals, and are confined`, {
    skip,
  }, (context) => {
    const kernel = debianKernel(suite);
    const results = runMachine(kernel.path, archive);
    context.diagnostic(`Linux ${kernel.release}: ${all.map(({ name }) => name).join(', ')}`);
    assert.equal(results.size, 3 * all.length);
    for (const { name, refused } of all) {
      const [original, harmless, denied] = places.map((place) => results.get(`${name}.${place}`));
      assert.ok(original && original.status < 9, `${name}: ${JSON.stringify(original)}`);
      const anonymous = (text = ''): string => text.replaceAll(/\.(original|harmless)/g, '');
      assert.equal(harmless?.status, original?.status, `${name}: ${JSON.stringify(harmless)}`);
      assert.equal(anonymous(harmless?.output), anonymous(original?.output), name);
      assert.equal(denied?.status, refused, `${name}: ${JSON.stringify(denied)}`);
    }
  });

/** What test/programs/launched.c and the C libraries call behind the entry, and ld.so before it. */
const BEHIND =
  'write, exit_group, exit, fcntl, wait4, brk, arch_prctl, set_tid_address, set_robust_list, rseq, prlimit64, readlinkat, readlink, getrandom, mprotect';
const LOADER = 'openat, open, mmap, read, pread64, close, fstat, newfstatat, munmap, access, faccessat, writev';

for (const suite of ['bullseye', 'bookworm'])
  test(`Debian ${suite}: under a launcher, nothing of start is in force at the entry`, { skip }, () => {
    const guest = new GuestFiles(join(folder, `launchers-${suite}`));
    const text = `selkie: 1\nsets: 1\narches: [x86_64]\ndefault: errno(EPERM)\nsyscalls:\n  allow: [${BEHIND}]\nstart:\n  allow: [execve, ${LOADER}]\n`;
    const output = join(folder, `launcher-${suite}`);
    writeLauncher({ policy: parsePolicy(text), arch: 'x86_64', output, force: true, simple: false });
    guest.addProgram('launcher', output);
    const builds = C_BUILDS.filter((build) => cannotBuild(build) === false);
    for (const [index, build] of builds.entries()) {
      guest.addProgram(`launched${index}`, buildProgram(build, 'launched.c', folder).path);
      guest.addCase(`${index}`, '/launcher', `/launched${index}`, 'one');
    }
    const results = runMachine(debianKernel(suite).path, guest.pack());
    for (const [index, { name }] of builds.entries()) {
      const words = `execve 38, seccomp 1, prctl 1, open 38, wait 10, descriptors 3, words /launched${index} one\n`;
      assert.deepEqual([results.get(`${index}`)?.output, results.get(`${index}`)?.status], [words, 7], name);
    }
  });

/** Odd programs, by title, that are sealed: the file system there has no ./loader and no room for the largest, and libc.so.6 says what it was built with. */
const odd = [...ODD, ...MORE_ODD].filter(
  ([title, , code]) => code === undefined && !/relative interpreter|library|110 MiB/.test(title),
);

for (const suite of ['bullseye', 'bookworm'])
  test(`Debian ${suite}: odd programs that run there run sealed, and are confined`, { skip }, (context) => {
    const guest = new GuestFiles(join(folder, `odd-${suite}`));
    odd.forEach(([, make], index) => {
      const file = join(folder, `odd-program-${index}`);
      writeFileSync(file, make(), { mode: 0o755 });
      guest.addProgram(`${index}.original`, file);
      for (const [place, number] of [
        ['harmless', NR.socket],
        ['denying', NR.uname],
      ] as const) {
        const output = join(folder, `${index}.${place}`);
        sealFile({ binary: file, program: denying(number), policyText: '', output, force: true });
        guest.addProgram(`${index}.${place}`, output);
      }
      for (const place of places) guest.addCase(`${index}.${place}`, `/${index}.${place}`, 'one');
    });
    const results = runMachine(debianKernel(suite).path, guest.pack());
    for (const [index, [title]] of odd.entries()) {
      const [original, harmless, denied] = places.map((place) => results.get(`${index}.${place}`));
      if (original?.status !== 7) {
        context.diagnostic(`${title}: the original ends with ${original?.status}`);
        assert.ok(harmless && denied && ![7, 0].includes(denied.status), title);
        continue;
      }
      assert.equal(harmless?.status, 7, `${title}: ${JSON.stringify(harmless)}`);
      assert.equal(harmless.output, original.output, title);
      assert.equal(denied?.status, 8, `${title}: ${JSON.stringify(denied)}`);
    }
  });
