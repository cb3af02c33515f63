import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { decodeProgram } from '../../src/bpf/codec.ts';
import { interpret } from '../../src/bpf/interpret.ts';
import { ARCHES } from '../../src/facts/arches.ts';
import { syscallNumber } from '../../src/facts/syscalls.ts';
import { scratchFolder } from '../support/folders.ts';
import { runCommand, selkie } from '../support/selkie.ts';
import { missingTools } from '../support/tools.ts';

const POLICY = 'selkie: 1\narches: [x86_64]\ndefault: allow\nsyscalls:\n  errno(EDOM):\n    - mkdir\n    - mkdirat\n';

function scratch(context: TestContext): string {
  const folder = scratchFolder(context);
  writeFileSync(join(folder, 'p.yaml'), POLICY);
  return folder;
}

test('compile -o writes a program that the kernel takes, and that prove finds equal', {
  skip: missingTools('bwrap', 'sh'),
}, (context) => {
  const cwd = scratch(context);
  const done = selkie(['compile', 'p.yaml', '-o', 'p.bpf'], { cwd });
  assert.equal(done.status, 0, done.stderr);
  assert.match(done.stderr, /^p\.bpf: \d+ instructions, proven equal to the policy$/m);
  assert.equal(done.stdout, '');
  const ran = runCommand(['sh', '-c', 'bwrap --dev-bind / / --seccomp 9 mkdir made 9<p.bpf'], { cwd });
  assert.match(ran.stderr, /made.*Numerical argument out of domain/);
  assert.equal(existsSync(join(cwd, 'made')), false);
  assert.equal(selkie(['prove', '-p', 'p.yaml', 'p.bpf'], { cwd }).status, 0);
});

test('a file that exists stays, unless --force', (context) => {
  const cwd = scratch(context);
  writeFileSync(join(cwd, 'p.bpf'), 'mine');
  const refused = selkie(['compile', 'p.yaml', '-o', 'p.bpf'], { cwd });
  assert.equal(refused.status, 2);
  assert.match(refused.stderr, /p\.bpf.*exists/);
  assert.equal(readFileSync(join(cwd, 'p.bpf'), 'utf8'), 'mine');
  assert.equal(selkie(['compile', 'p.yaml', '-o', 'p.bpf', '--force'], { cwd }).status, 0);
  assert.equal(readFileSync(join(cwd, 'p.bpf')).length % 8, 0);
});

test('standard input, --stats and --json say the same', (context) => {
  const cwd = scratch(context);
  const stats = selkie(['compile', '-'], { input: POLICY });
  assert.equal(stats.status, 0, stats.stderr);
  const { instructions, proven, abis } = JSON.parse(selkie(['compile', 'p.yaml', '--json'], { cwd }).stdout);
  assert.equal(proven, true);
  const [{ alwaysAllowed, calls }] = abis;
  assert.equal(alwaysAllowed, calls - 2);
  assert.match(
    stats.stdout,
    new RegExp(`^${instructions} instructions[\\s\\S]*x86_64: ${alwaysAllowed} of ${calls} calls`),
  );
});

test('--evidence makes the calls shorter that were seen most', { skip: missingTools('dd') }, (context) => {
  const cwd = scratchFolder(context);
  const recorded = selkie(['record', '-o', 'dd.yaml', 'dd', 'if=/dev/zero', 'of=/dev/null', 'bs=1', 'count=2000'], {
    cwd,
  });
  assert.equal(recorded.status, 0, recorded.stderr);
  const steps = (...more: readonly string[]): number => {
    const done = selkie(['compile', 'dd.yaml', '-o', 'dd.bpf', '--force', ...more], { cwd });
    assert.equal(done.status, 0, done.stderr);
    const program = decodeProgram(readFileSync(join(cwd, 'dd.bpf')));
    const nr = syscallNumber('x86_64', 'read') as number;
    return interpret(program, { arch: ARCHES.x86_64.token, nr, instructionPointer: 0n, args: [0n, 0n, 0n, 0n, 0n, 0n] })
      .steps;
  };
  const [plain, seen] = [steps(), steps('--evidence', 'dd.evidence.json')];
  assert.ok(seen < plain, `${seen} < ${plain}`);
  assert.equal(selkie(['prove', '-p', 'dd.yaml', 'dd.bpf'], { cwd }).status, 0);
});

test('bad input: 2, with file, place and reason', (context) => {
  const cwd = scratch(context);
  writeFileSync(join(cwd, 'bad.yaml'), POLICY.replace('mkdirat', 'mkdri'));
  for (const [words, reason] of [
    [['bad.yaml'], /bad\.yaml:7:7: "mkdri" is no system call.*did you mean "mkdir"/],
    [['none.yaml'], /"none\.yaml": no such file/],
    [[], /missing.*policy/],
    [['p.yaml', '--evidence', 'none.json'], /"none\.json": no such file/],
  ] as const) {
    const refused = selkie(['compile', ...words, '-o', 'out.bpf'], { cwd });
    assert.equal(refused.status, 2);
    assert.match(refused.stderr, reason);
    assert.equal(existsSync(join(cwd, 'out.bpf')), false);
  }
});

test('compile --service writes the program that goes over the other one, and refuses to with --start', (context) => {
  const folder = scratchFolder(context);
  const text = 'selkie: 1\narches: [x86_64]\ndefault: errno(EPERM)\nsyscalls:\n  allow: [read, write]\n';
  writeFileSync(join(folder, 'p.yaml'), `${text}service:\n  allow: [read]\n`);
  writeFileSync(join(folder, 'none.yaml'), text);
  const { status, stderr } = selkie(['compile', 'p.yaml', '--service', '-o', 'p.bpf'], { cwd: folder });
  assert.equal(status, 0, stderr);
  const said = selkie(['simulate', '-p', 'p.bpf', 'read(0)', 'write(1)'], { cwd: folder });
  assert.match(said.stdout, /read.*allow[\s\S]*write.*EPERM/);
  for (const [words, wanted] of [
    [['p.yaml', '--service', '--start'], /leave one out/],
    [['none.yaml', '--service'], /the policy has no "service"/],
  ] as const) {
    const refused = selkie(['compile', ...words], { cwd: folder });
    assert.equal(refused.status, 2, refused.stderr);
    assert.match(refused.stderr, wanted);
  }
});
