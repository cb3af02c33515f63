// GHSA-4q85-33p6-j5g6: libseccomp before 2.6.1 merges 64-bit comparisons of overlapping rules wrongly. The example of docs/libseccomp.md.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { interpret } from '../../src/bpf/interpret.ts';
import { compile } from '../../src/compile/compile.ts';
import { compareStacks } from '../../src/decision/compare-stacks.ts';
import { ARCHES } from '../../src/facts/arches.ts';
import type { SeccompData } from '../../src/facts/seccomp.ts';
import { decide } from '../../src/policy/decide.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';
import { scratchFolder } from '../support/folders.ts';
import { buildPeer, missingLibseccomp, type Optimize } from '../support/libseccomp.ts';
import type { PeerPolicy, PeerRule } from '../support/libseccomp-rules.ts';
import { ROOT, runCommand, SELKIE } from '../support/selkie.ts';

const skip = missingLibseccomp();

interface Step {
  readonly command: string;
  readonly output: string;
}

const STEPS: readonly Step[] = (() => {
  const text = readFileSync(join(ROOT, 'docs/libseccomp.md'), 'utf8');
  const lines = [...text.matchAll(/^ {4}(.*\n)/gm)].map(([, line]) => line).join('');
  const steps = [...lines.matchAll(/^\$ (.*)\n((?:(?!\$ ).*\n)*)/gm)];
  return steps.map(([, command = '', output = '']) => ({ command, output }));
})();

const POLICY = resolvePolicy(parsePolicy(STEPS.find(({ command }) => command.endsWith('.yaml'))?.output as string));

const [ALLOW, EPERM, EACCES, KILL_PROCESS] = [0x7fff_0000, 0x5_0001, 0x5_000d, 0x8000_0000];
const PWRITE64 = 18;
const [WIDE_END, NARROW_END] = [0x1_8000_0000n, 0x1_4000_0000n];

const below = (end: bigint, action: number): PeerRule => ({
  action,
  nr: PWRITE64,
  comparisons: [{ argument: 3, operator: 2, a: end, b: 0n }],
});
const [WIDE, NARROW] = [below(WIDE_END, ALLOW), below(NARROW_END, EACCES)];

const peerPolicy = (rules: readonly PeerRule[]): PeerPolicy => ({
  default: EPERM,
  badArch: KILL_PROCESS,
  arches: [{ arch: 'x86_64', rules }],
});

const pwriteAt = (offset: bigint): SeccompData => ({
  nr: PWRITE64,
  arch: ARCHES.x86_64.token,
  instructionPointer: 0n,
  args: [0n, 0n, 0n, offset, 0n, 0n],
});

/** Whether a version, such as 2.5.4, has the fault. */
function isFaulty(version: string): boolean {
  const [major = 0, minor = 0, micro = 0] = version.split('.').map(Number);
  return (major * 100 + minor) * 100 + micro < 20601;
}

const OPTIMIZE: readonly Optimize[] = [1, 2];

test('the wide rule first: libseccomp before 2.6.1 permits what the policy refuses, a later one is equal', {
  skip,
}, (context) => {
  const peer = buildPeer(scratchFolder(context));
  for (const optimize of OPTIMIZE) {
    const { program, version } = peer.compile(peerPolicy([WIDE, NARROW]), optimize);
    const { differences, isComplete } = compareStacks([compile(POLICY)], [program]);
    assert.equal(isComplete, true);
    if (!isFaulty(version)) {
      assert.deepEqual(differences, []);
      continue;
    }
    const [difference, ...others] = differences;
    assert.ok(difference, `libseccomp ${version}, level ${optimize}: has no fault`);
    assert.deepEqual([difference.name, difference.left, difference.right, others], ['pwrite64', EACCES, ALLOW, []]);
    assert.equal(decide(POLICY, difference.example), EACCES);
    assert.equal(interpret(program, difference.example).action, ALLOW);
    // Both rules match both of these calls: whichever shall win, they must get the same.
    const both = [0xffff_ffffn, 0x1_0000_0000n].map((offset) => interpret(program, pwriteAt(offset)).action);
    assert.deepEqual(both, [ALLOW, EACCES]);
  }
});

test('the narrow rule first: every libseccomp is equal to the policy', { skip }, (context) => {
  const peer = buildPeer(scratchFolder(context));
  for (const optimize of OPTIMIZE) {
    const { program } = peer.compile(peerPolicy([NARROW, WIDE]), optimize);
    assert.deepEqual(compareStacks([compile(POLICY)], [program]).differences, []);
  }
});

function runStep(cwd: string, command: string): string {
  const isSelkie = command.startsWith('selkie ');
  const words = isSelkie ? [process.execPath, SELKIE, ...command.split(' ').slice(1)] : ['sh', '-c', command];
  const { stdout, stderr } = runCommand(words, { cwd });
  return `${stdout}${stderr}`;
}

/** What the document's commands print that print something else than it says. */
function deviations(context: TestContext): string[] {
  const cwd = scratchFolder(context);
  return STEPS.flatMap(({ command, output }) => {
    const [, file] = /^cat (.*)/.exec(command) ?? [];
    if (file === undefined) {
      const printed = runStep(cwd, command);
      return printed === output ? [] : [printed];
    }
    writeFileSync(join(cwd, file), output);
    return [];
  });
}

test('docs/libseccomp.md: its commands print what it says, by a libseccomp before 2.6.1', {
  skip: skip || (process.arch !== 'x64' && 'x86_64 only'),
}, (context) => {
  const { version } = buildPeer(scratchFolder(context));
  const [proof, answers, ...more] = deviations(context);
  if (isFaulty(version)) return assert.equal(proof, undefined);
  assert.match(proof as string, /^proven: /);
  assert.equal(answers?.includes('allow'), false);
  assert.deepEqual(more, []);
});
