import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { parsePolicy } from '../../src/policy/parse.ts';
import { setMembers } from '../../src/policy/sets.ts';
import { ARM64, addSelkie, cannotEmulate } from '../support/arm64.ts';
import { INPUTS, PROGRAMS } from '../support/arm64-programs.ts';
import { type Build, buildProgram } from '../support/builds.ts';
import { temporaryFolder } from '../support/folders.ts';
import { type CaseResult, debianKernel, GuestFiles, runMachine } from '../support/machine.ts';
import { missingTools } from '../support/tools.ts';

/** Selkie itself on AArch64: Node, its command line and its library, on Debian's arm64 kernel. */

const skip = cannotEmulate || missingTools('go', 'npm');
const folder = temporaryFolder();
const GO: Build = { name: 'arm64', tool: 'go', flags: [], environment: { CGO_ENABLED: '0', GOARCH: 'arm64' } };
const GO_ARM: Build = { name: 'arm', tool: 'go', flags: [], environment: { CGO_ENABLED: '0', GOARCH: 'arm' } };

/** Of the programs that are sealed elsewhere: those that start others, read much, or make threads. */
const RECORDED: readonly (readonly string[])[] = ['bash', 'perl', 'python3.11', 'sqlite3'].map(
  (name) => PROGRAMS.find(([path]) => path === `/usr/bin/${name}`) ?? assert.fail(name),
);

const quoted = (words: readonly string[]): string =>
  words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');

/** What is run there, by label; each is a script of the shell. */
const SCRIPTS: Readonly<Record<string, string>> = {
  'story.record': 'selkie record -q /story && cat story.yaml',
  'story.strace': 'strace -f -o trace /story && cat trace',
  'story.seal': 'selkie seal -p story.yaml /story -o sealed',
  'story.run': './sealed',
  'story.attack': 'selkie seal -p story.yaml /story-exec -o attacked && ./attacked',
  'story.simulate': "selkie simulate -p story.yaml 'mkdirat()' 'execve()'",
  rounds: 'selkie record -q --runs 3 -o rounds.yaml /story && cat rounds.yaml',
  arm: 'selkie record -q -o arm.yaml /uname-arm one; echo "exit $?"; cat arm.yaml',
  killed: "selkie record -q -o killed.yaml sh -c 'kill -9 $$'",
  orphans: `selkie record -q -o orphans.yaml sh -c 'sleep 987 & sleep 987' & recorder=$!
    until [ "$(pgrep -cfx 'sleep 987')" = 2 ]; do sleep 1; done; kill -9 $recorder
    until ! pgrep -fx 'sleep 987' > /dev/null; do sleep 1; done; echo all gone`,
  confine: 'node /selkie/confined.mjs',
  doctor: 'selkie doctor',
  ptrace: 'selkie record --backend ptrace -o none.yaml ls',
  lift: 'selkie lift -o none.yaml -- ls',
  ...Object.fromEntries(
    RECORDED.flatMap((words) => {
      const [path = ''] = words;
      const name = path.slice(path.lastIndexOf('/') + 1);
      const sealed = `selkie seal -p ${name}.yaml ${path} -o ${name}.sealed`;
      return [
        [`${name}.plain`, quoted(words)],
        [`${name}.record`, `selkie record -q -o ${name}.yaml ${quoted(words)}`],
        [
          `${name}.strace`,
          `strace -f -o trace ${quoted(words)} > /dev/null 2>&1; cat ${name}.yaml; echo ---; cat trace`,
        ],
        [`${name}.sealed`, `${sealed} > /dev/null 2>&1 && /in-place ./${name}.sealed ${quoted(words)}`],
      ];
    }),
  ),
  'run.story': 'selkie run -p story.yaml /story',
  'run.attack': 'selkie run -p story.yaml /story-exec',
  'run.path': "selkie run -p bash.yaml bash -c 'echo $0 $*' zero one",
  'run.refused': "selkie run -p bash.yaml bash -c 'cd /tmp'",
  'run.missing': 'selkie run -p bash.yaml no-such-command',
};

const CONFINED = `import { mkdirSync } from 'node:fs';
import { confine } from './dist/lib/index.js';
const { threads } = confine({ allow: ['@stdio', 'openat', 'fstat', 'newfstatat', 'getdents64'] });
try {
  mkdirSync('/tmp/never');
} catch ({ code }) {
  console.log(code, threads > 1);
}
`;

let results: ReadonlyMap<string, CaseResult> = new Map();
const resultOf = (label: string): CaseResult => results.get(label) ?? assert.fail(`no result: ${label}`);

before(() => {
  if (skip !== false) return;
  const guest = new GuestFiles(join(folder, 'guest'), ARM64);
  addSelkie(guest);
  fs.writeFileSync(join(guest.folder, 'selkie/confined.mjs'), CONFINED);
  for (const name of ['tmp', 'work']) fs.mkdirSync(join(guest.folder, name));
  for (const [name, text] of Object.entries(INPUTS)) fs.writeFileSync(join(guest.folder, name), text);
  const inPlace: Build = { name: 'static', tool: ARM64.compiler(), flags: ['-static'] };
  guest.addProgram('in-place', buildProgram(inPlace, 'in-place.c', folder).path);
  guest.addProgram('story', buildProgram(GO, 'story/main.go', folder).path);
  guest.addProgram('story-exec', buildProgram(GO, 'story-exec/main.go', folder).path);
  guest.addProgram('uname-arm', buildProgram(GO_ARM, 'uname.go', folder).path);
  for (const [label, script] of Object.entries(SCRIPTS))
    guest.addCase(label, '/bin/sh', '-c', `cd /work; ${script.replaceAll(/\n\s*/g, ' ; ')}`);
  results = runMachine(debianKernel('bookworm', ARM64).path, guest.pack(), ARM64);
});

/** Names that a policy permits in any phase, or answers with ENOSYS; sets spelled out. */
function named(policyText: string): ReadonlySet<string> {
  const { syscalls, start = [] } = parsePolicy(policyText);
  return new Set(
    [...syscalls, ...start].flatMap(({ call }) => {
      if (call.kind === 'name') return [call.name];
      return call.kind === 'set' ? (setMembers(1, call.name) ?? []).map(({ name }) => name) : [];
    }),
  );
}

/** Names in the output of `strace -f -o`. */
function straceNames(trace: string): ReadonlySet<string> {
  return new Set(
    [...trace.matchAll(/^\d+ +(?:<\.\.\. )?([a-z_0-9]+)(?:\(| resumed>)/gm)].map((match) => match[1] ?? ''),
  );
}

function requireAll(policyText: string, trace: string): void {
  const [allowed, seen] = [named(policyText), straceNames(trace)];
  assert.ok(seen.has('exit_group') && seen.has('execve'), trace);
  for (const name of seen)
    assert.ok(allowed.has(name), `${name} is in the trace, but not in the policy:\n${policyText}`);
}

const I_MADE_IT = 'I made the folder /tmp/moo\n';

test('the story: recorded, sealed and run there, and what an attacker adds is refused', { skip }, () => {
  const { status, output } = resultOf('story.record');
  assert.equal(status, 0, output);
  assert.ok(output.startsWith(I_MADE_IT), output);
  const policyText = output.slice(I_MADE_IT.length);
  const policy = parsePolicy(policyText);
  assert.deepEqual(policy.arches, ['aarch64']);
  for (const name of ['execve', 'socket', 'ptrace', 'bpf', 'seccomp'])
    assert.ok(!named(policyText.replace(/^start:.*/ms, '')).has(name), name);
  assert.ok(named(policyText).has('mkdirat'));
  requireAll(policyText, resultOf('story.strace').output);
  assert.equal(resultOf('story.seal').status, 0, resultOf('story.seal').output);
  assert.deepEqual([resultOf('story.run').status, resultOf('story.run').output], [0, I_MADE_IT]);
  const attack = resultOf('story.attack');
  assert.equal(attack.status, 1, attack.output);
  assert.match(attack.output, /Cannot exec \/bin\/ls: operation not permitted/);
  assert.match(resultOf('story.simulate').output, /mkdirat.*allow.*\n.*execve.*EPERM/s);
});

test('rounds with a filter that lets known calls run natively give the same policy', { skip }, () => {
  const { status, output } = resultOf('rounds');
  assert.equal(status, 0, output);
  assert.ok(named(output.slice(output.indexOf('selkie: 1'))).has('mkdirat'), output);
});

for (const words of RECORDED) {
  const name = (words[0] ?? '').replace(/.*\//, '');
  test(`${name}: recorded there it is as strace sees it, and sealed there it does its job`, { skip }, () => {
    const [plain, recorded, sealed] = ['plain', 'record', 'sealed'].map((what) => resultOf(`${name}.${what}`));
    assert.ok(plain && plain.output !== '');
    assert.deepEqual([recorded?.status, recorded?.output], [plain.status, plain.output]);
    const [policyText = '', trace = ''] = resultOf(`${name}.strace`).output.split('---\n');
    requireAll(policyText, trace);
    // ld.so's calls are start's: the mark at the entry was passed.
    assert.ok((parsePolicy(policyText).start ?? []).length > 5, policyText);
    assert.deepEqual([sealed?.status, sealed?.output], [plain.status, plain.output]);
  });
}

test('run becomes the command, under its policy', { skip }, () => {
  assert.deepEqual([resultOf('run.story').status, resultOf('run.story').output], [0, I_MADE_IT]);
  assert.match(resultOf('run.attack').output, /Cannot exec \/bin\/ls: function not implemented/);
  assert.deepEqual([resultOf('run.path').status, resultOf('run.path').output], [0, 'zero one\n']);
  assert.match(resultOf('run.refused').output, /cd: \/tmp: Operation not permitted/);
  assert.equal(resultOf('run.missing').status, 127);
});

test('calls of 32-bit programs are those of arm', { skip }, () => {
  const { output } = resultOf('arm');
  assert.match(output, /exit 7/);
  assert.deepEqual(parsePolicy(output.slice(output.indexOf('selkie: 1'))).arches, ['aarch64', 'arm']);
  assert.ok(named(output.slice(output.indexOf('selkie: 1'))).has('uname'));
});

test('exit codes are the command’s, and nothing outlives the recorder', { skip }, () => {
  assert.equal(resultOf('killed').status, 137);
  assert.equal(resultOf('orphans').output, 'all gone\n');
});

test('confine puts a policy in force on all threads of Node', { skip }, () => {
  assert.equal(resultOf('confine').output, 'EPERM true\n');
});

test('what is written for x86-64 is refused by name', { skip }, () => {
  for (const label of ['doctor', 'ptrace', 'lift']) {
    const { status, output } = resultOf(label);
    assert.equal(status, 125, `${label}: ${output}`);
    assert.match(output, /^selkie \w+: Cannot .* on AArch64: only on x86-64 for now: .*\n$/, label);
  }
});
