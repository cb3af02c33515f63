import assert from 'node:assert/strict';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { writeLauncher } from '../../src/apply/launcher.ts';
import { sealWithPolicy } from '../../src/apply/with-policy.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { ARM64, cannotEmulate } from '../support/arm64.ts';
import { buildProgram } from '../support/builds.ts';
import { temporaryFolder } from '../support/folders.ts';
import { type CaseResult, debianKernel, GuestFiles, runMachine } from '../support/machine.ts';
import { makeTree, pathsFor, type Trial, trialsFor, wordsOf } from '../support/paths.ts';
import { missingTools } from '../support/tools.ts';

/** `paths:` on kernels whose Landlock is older, or absent, and on another machine. */

const folder = temporaryFolder();
const MACHINES = {
  x86_64: { arch: 'x86_64', guest: undefined, compiler: () => 'gcc' },
  arm64: { arch: 'aarch64', guest: ARM64, compiler: ARM64.compiler },
} as const;
type Name = keyof typeof MACHINES;

/** How a confined program is started there: by a launcher, or sealed; with the ABI that the policy asks for. */
const CONFINED = ['launcher', 'static', 'dynamic'] as const;
const ABIS = [undefined, 2, 1] as const;

/** Descriptors of the tests' own are not there. */
const trials: readonly Trial[] = trialsFor({ nobody: false, execs: true }).filter(
  ({ words }) => !words.some((word) => /^3$|fd\/3$/.test(word)),
);

/** What a kernel of ABI 2 does not know to refuse. */
function errnoBefore3({ words: [what], errno }: Trial): number {
  return what === 'truncate' || what === 'ioctl' ? 0 : errno;
}

/** Runs the trials there: `KIND.ABI.INDEX`, and `free.INDEX` without `paths:`. */
function boot(name: Name, suite: string): ReadonlyMap<string, CaseResult> {
  const { arch, guest: machine, compiler } = MACHINES[name];
  const guest = new GuestFiles(join(folder, `${name}-${suite}`), machine);
  const build = (kind: string, flags: readonly string[]): string =>
    buildProgram({ name: `${name} ${kind}`, tool: compiler(), flags }, 'files.c', folder).path;
  const programs = { static: build('static', ['-static']), dynamic: build('dynamic', ['-fPIE', '-pie']) };
  guest.addProgram('static', programs.static);
  guest.addProgram('dynamic', programs.dynamic);
  const newTree = (): string => `/${basename(makeTree(guest.folder, programs.static))}`;
  const add = (label: string, command: readonly string[], tree: string): void =>
    trials.forEach((trial, index) => {
      guest.addCase(`${label}.${index}`, ...command, ...wordsOf([trial], tree));
    });
  for (const abi of ABIS)
    for (const kind of CONFINED) {
      const tree = newTree();
      const paths = pathsFor(tree, { execute: ['/static'] });
      const head = `selkie: 1\nsets: 1\narches: [${arch}]\ndefault: allow\nsyscalls:\n  errno(EPERM): [acct]\n`;
      const policy = parsePolicy(head + (abi ? paths.replace('paths:\n', `paths:\n  abi: ${abi}\n`) : paths));
      const output = join(folder, `${name}-${suite}-${kind}-${abi}`);
      if (kind === 'launcher') writeLauncher({ policy, arch, output, force: true, simple: true });
      else sealWithPolicy({ binary: programs[kind], policy, output, force: true });
      guest.addProgram(`${kind}-${abi}`, output);
      add(`${kind}.${abi}`, [`/${kind}-${abi}`, ...(kind === 'launcher' ? ['/static'] : [])], tree);
    }
  add('free', ['/static'], newTree());
  return runMachine(debianKernel(suite, machine).path, guest.pack(), machine);
}

/** What each trial gave: its errno, or the message and exit status where nothing was started. */
function answers(results: ReadonlyMap<string, CaseResult>, label: string): readonly string[] {
  return trials.map(({ words }, index) => {
    const { status, output } = results.get(`${label}.${index}`) ?? { status: -1, output: 'no answer' };
    return `${words.join(' ')}: ${status === 7 ? output.trim() : `${output.trim()} ${status}`}`;
  });
}

const wanted = (answer: (trial: Trial) => number | string): readonly string[] =>
  trials.map((trial) => `${trial.words.join(' ')}: ${answer(trial)}`);

const skips = {
  x86_64: missingTools('qemu-system-x86_64', 'cpio', 'curl', 'xz', 'dpkg-deb', 'gcc'),
  arm64: cannotEmulate,
} as const;

test('Debian bullseye, without Landlock: nothing is started', { skip: skips.x86_64 }, () => {
  const results = boot('x86_64', 'bullseye');
  assert.deepEqual(
    answers(results, 'free'),
    wanted(() => 0),
  );
  for (const abi of ABIS) {
    const launched = wanted(() => 'selkie: cannot confine: Landlock failed: errno 38 125');
    assert.deepEqual(answers(results, `launcher.${abi}`), launched);
    const sealed = wanted(() => 'selkie: cannot confine this program: Landlock failed (errno 38) 125');
    for (const kind of ['static', 'dynamic']) assert.deepEqual(answers(results, `${kind}.${abi}`), sealed);
  }
});

for (const name of ['x86_64', 'arm64'] as const)
  test(`Debian bookworm on ${name}, with ABI 2: refused, or less as the policy says`, { skip: skips[name] }, () => {
    const results = boot(name, 'bookworm');
    assert.deepEqual(
      answers(results, 'free'),
      wanted(() => 0),
    );
    const launched = "selkie: cannot confine: the kernel's Landlock is older than paths: needs: errno 95 125";
    assert.deepEqual(
      answers(results, 'launcher.undefined'),
      wanted(() => launched),
    );
    const sealed = 'selkie: cannot confine this program: the Landlock ABI that paths: needs failed (errno 95) 125';
    for (const kind of ['static', 'dynamic'])
      assert.deepEqual(
        answers(results, `${kind}.undefined`),
        wanted(() => sealed),
      );
    for (const abi of [2, 1])
      for (const kind of CONFINED) assert.deepEqual(answers(results, `${kind}.${abi}`), wanted(errnoBefore3), kind);
  });
