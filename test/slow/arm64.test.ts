import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { ARM64, cannotEmulate as skip } from '../support/arm64.ts';
import { type Build, buildProgram } from '../support/builds.ts';
import { temporaryFolder } from '../support/folders.ts';
import { type CaseResult, debianKernel, GuestFiles, runMachine } from '../support/machine.ts';
import { selkie } from '../support/selkie.ts';
import { missingTools } from '../support/tools.ts';

/** Programs for AArch64 that this machine seals, on Debian's arm64 kernel. */

const compiler = skip === false ? ARM64.compiler() : '';
const folder = temporaryFolder();

const KINDS: readonly Build[] = [
  { name: 'arm64 static', tool: compiler, flags: ['-static'] },
  { name: 'arm64 static stripped', tool: compiler, flags: ['-static', '-s'] },
  { name: 'arm64 static PIE', tool: compiler, flags: ['-static-pie'] },
  { name: 'arm64 dynamic PIE', tool: compiler, flags: ['-fPIE', '-pie'] },
  { name: 'arm64 dynamic', tool: compiler, flags: ['-no-pie'] },
  { name: 'arm64 branch protection', tool: compiler, flags: ['-fPIE', '-pie', '-mbranch-protection=standard'] },
  { name: 'arm64 Go', tool: 'go', flags: [], environment: { CGO_ENABLED: '0', GOARCH: 'arm64' } },
  { name: 'arm64 Go PIE', tool: 'go', flags: ['-buildmode=pie'], environment: { CGO_ENABLED: '0', GOARCH: 'arm64' } },
];
const built = KINDS.filter(({ tool }) => tool === compiler || missingTools(tool) === false);
const nameOf = ({ name }: Build): string => name.replace(/\W/g, '-');
const POLICY = (rules: string): string => `selkie: 1\nsets: 1\narches: [aarch64]\ndefault: allow\nsyscalls:\n${rules}`;
const PLACES = { harmless: '  errno(EPERM): [acct]\n', denying: '  errno(EPERM): [uname]\n' } as const;

/** Writes a policy and seals by the command line. */
function seal(binary: string, place: keyof typeof PLACES): string {
  const policy = join(folder, `${place}.yaml`);
  const output = `${binary}.${place}`;
  writeFileSync(policy, POLICY(PLACES[place]));
  const result = selkie(['seal', '-p', policy, binary, '-o', output]);
  assert.equal(result.status, 0, result.stderr);
  const shown = selkie(['inspect', output]).stdout;
  assert.match(shown, /intact +true/);
  assert.equal(selkie(['unseal', output, '-o', `${output}.original`]).status, 0);
  return output;
}

/** What test/programs/launched.c and glibc call behind the entry there, and ld.so before it. */
const BEHIND =
  'write, exit_group, exit, fcntl, wait4, brk, set_tid_address, set_robust_list, rseq, prlimit64, readlinkat, getrandom, mprotect';
const LOADER = 'openat, mmap, read, pread64, close, fstat, newfstatat, munmap, faccessat';
const START = { exec: 'execve', loader: `execve, ${LOADER}` } as const;
const LAUNCHED = KINDS.filter(({ tool, name }) => tool === compiler && !/stripped/.test(name));
/** Calls that the launcher makes, to be refused by an outer filter: include/uapi/asm-generic/unistd.h. */
const OWN_CALLS = [29, 56, 57, 59, 63, 67, 68, 73, 94, 124, 167, 220, 260, 277];
const ANSWERS = ['1', '0', 'kill'];

function makeLauncher(form: keyof typeof START, ...options: string[]): string {
  const policy = join(folder, `start-${form}.yaml`);
  const output = join(folder, ['launcher', form, ...options].join(''));
  const text = `selkie: 1\nsets: 1\narches: [aarch64]\ndefault: errno(EPERM)\nsyscalls:\n  allow: [${BEHIND}]\nstart:\n  allow: [${START[form]}]\n`;
  writeFileSync(policy, text);
  const result = selkie(['launcher', '--arch', 'aarch64', '-p', policy, '-o', output, ...options]);
  assert.equal(result.status, 0, result.stderr);
  assert.match(selkie(['inspect', output]).stdout, /machine +AArch64\n.*intact +true/s);
  return output;
}

function addLaunchers(guest: GuestFiles): void {
  guest.addProgram('exec', makeLauncher('exec'));
  guest.addProgram('loader', makeLauncher('loader'));
  guest.addProgram('simple', makeLauncher('loader', '--simple'));
  guest.addProgram(
    'outer',
    buildProgram({ name: 'outer', tool: compiler, flags: ['-static'] }, 'outer.c', folder).path,
  );
  for (const kind of LAUNCHED) {
    const name = `launched-${nameOf(kind)}`;
    guest.addProgram(name, buildProgram(kind, 'launched.c', folder).path);
    for (const form of ['exec', 'loader', 'simple'])
      guest.addCase(`${form}.${name}`, `/${form}`, `/${name}`, 'one', 'two');
  }
  for (const number of OWN_CALLS)
    for (const how of ANSWERS)
      guest.addCase(`outer.${number}.${how}`, '/outer', how, `${number}`, '/loader', '/launched-arm64-dynamic-PIE');
  for (const how of ANSWERS)
    for (const which of ['prctl', 'seccomp', 'exit'])
      guest.addCase(`sealed.${which}.${how}`, '/outer', how, which, '/arm64-static.denying');
  guest.addCase('missing', '/exec', 'no-such-command');
}

let results: ReadonlyMap<string, CaseResult> = new Map();
before(() => {
  if (skip !== false) return;
  const guest = new GuestFiles(join(folder, 'guest'), ARM64);
  for (const kind of built) {
    const { path } = buildProgram(kind, kind.tool === 'go' ? 'uname.go' : 'uname.c', folder);
    const name = nameOf(kind);
    const files = { original: path, harmless: seal(path, 'harmless'), denying: seal(path, 'denying') };
    for (const [place, file] of Object.entries(files)) {
      guest.addProgram(`${name}.${place}`, file);
      guest.addCase(`${name}.${place}`, `/${name}.${place}`, 'one', 'two');
    }
  }
  addLaunchers(guest);
  results = runMachine(debianKernel('bookworm', ARM64).path, guest.pack(), ARM64);
});

for (const kind of built)
  test(`${kind.name}: sealed here, it behaves as its original there, and is confined`, { skip }, () => {
    const [original, harmless, denied] = ['original', 'harmless', 'denying'].map((place) =>
      results.get(`${nameOf(kind)}.${place}`),
    );
    assert.ok(original && original.status < 8, JSON.stringify(original));
    assert.equal(harmless?.output.replaceAll('.harmless', ''), original.output.replaceAll('.original', ''));
    assert.equal(harmless?.status, original.status);
    assert.equal(denied?.status, 8, JSON.stringify(denied));
  });

const said = (execve: number, open: number, name: string): string =>
  `execve ${execve}, seccomp 1, prctl 1, open ${open}, wait 10, descriptors 3, words /${name} one two\n`;

for (const kind of LAUNCHED)
  test(`${kind.name}: under a launcher made here, nothing of start is in force at its entry`, { skip }, () => {
    const name = `launched-${nameOf(kind)}`;
    const of = (form: string): CaseResult | undefined => results.get(`${form}.${name}`);
    const [ENOSYS, EPERM, ENOENT] = [38, 1, 2];
    assert.deepEqual([of('loader')?.output, of('loader')?.status], [said(ENOSYS, ENOSYS, name), 7]);
    assert.deepEqual([of('simple')?.output, of('simple')?.status], [said(ENOENT, ENOENT, name), 7]);
    if (/static/.test(kind.name)) assert.equal(of('exec')?.output, said(ENOSYS, EPERM, name));
    else assert.ok(![0, 7].includes(of('exec')?.status ?? 0), JSON.stringify(of('exec')));
  });

test('there too, nothing runs unconfined where an outer filter answers', { skip }, () => {
  for (const number of OWN_CALLS)
    for (const how of ANSWERS) {
      const { output, status } = results.get(`outer.${number}.${how}`) as CaseResult;
      const what = `${number} by ${how}: ${status} ${output}`;
      if (output.startsWith('execve'))
        assert.match(output, /^execve (38|1), seccomp (1|38|0), prctl (1|38), open/, what);
      else assert.ok(status >= 125, what);
    }
  for (const how of ANSWERS)
    for (const which of ['prctl', 'seccomp', 'exit']) {
      const { output, status } = results.get(`sealed.${which}.${how}`) as CaseResult;
      const what = `${which} by ${how}: ${status} ${output}`;
      assert.equal(status, how === 'kill' ? 128 + 31 : 125, what);
      if (how !== 'kill')
        assert.match(output, /^selkie: cannot confine this program: .* failed \((errno|result) \d+\)\n$/, what);
    }
  assert.deepEqual(
    [results.get('missing')?.output, results.get('missing')?.status],
    ["selkie: cannot run 'no-such-command': errno 2\n", 127],
  );
});
