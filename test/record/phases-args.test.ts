import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { printCondition } from '../../src/policy/condition-print.ts';
import type { Rule } from '../../src/policy/model.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { Coverage } from '../../src/record/coverage.ts';
import { parseEvidence } from '../../src/record/evidence.ts';
import { knownCalls } from '../../src/record/known-calls.ts';
import { temporaryFolder } from '../support/folders.ts';
import { compileC } from '../support/programs.ts';
import { selkie } from '../support/selkie.ts';

/** `record --args` with what else a recording can do: phases, known calls, named sets. */

const folder = temporaryFolder();
/** Sockets until it listens, and after that; with `d` of one more kind then, with `i` one by int $0x80 before. */
const SERVER = compileC(
  folder,
  'server',
  `#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
static long int80(long nr, long a, long b, long c) {
  long r; __asm__ volatile("int $0x80" : "=a"(r) : "a"(nr), "b"(a), "c"(b), "d"(c) : "memory"); return r; }
int main(int argc, char **argv) {
  socket(AF_UNIX, SOCK_DGRAM, 0);
  if (argc > 1 && argv[1][0] == 'i') int80(359, AF_UNIX, SOCK_SEQPACKET, 0);
  if (listen(socket(AF_INET, SOCK_STREAM, 0), 5)) return 1;
  for (int i = 0; i < 5; i++) close(socket(AF_INET, SOCK_STREAM, 0));
  if (argc > 1 && argv[1][0] == 'd') close(socket(AF_INET, SOCK_DGRAM, 0));
  return 0; }`,
  ['-static'],
);

function record(policy: string, words: readonly string[], ...more: readonly string[]) {
  const { status, stderr } = selkie(['record', '--json', '--args', '-o', policy, ...words, SERVER, ...more], {
    cwd: folder,
  });
  assert.equal(status, 0, stderr);
  const text = readFileSync(join(folder, policy), 'utf8');
  const file = join(folder, policy.replace('.yaml', '.evidence.json'));
  return {
    text,
    policy: parsePolicy(text),
    summary: JSON.parse(stderr),
    evidence: parseEvidence(readFileSync(file, 'utf8'), file),
  };
}

const conditionsOf = (rules: readonly Rule[] = [], call = 'socket'): readonly string[] =>
  rules
    .filter((rule) => rule.call.kind === 'name' && rule.call.name === call)
    .map(({ condition }) => (condition ? printCondition(condition) : 'any'));

const STREAM = 'domain == AF_INET && type == SOCK_STREAM && protocol == IPPROTO_IP';
const LOCAL = 'domain == AF_UNIX && type == SOCK_DGRAM && protocol == 0';
const READY = ['--phase', 'ready=listen', '--no-floor'];

for (const backend of ['notify', 'ptrace'])
  test(`by ${backend}: conditions of the service are of its own arguments, and a merge makes them anew`, () => {
    const file = `${backend}.yaml`;
    const { policy, evidence, summary } = record(file, ['--backend', backend, ...READY]);
    assert.deepEqual(
      evidence
        .filter(({ syscall }) => syscall === 'socket')
        .map(({ phase, condition, count }) => [phase, condition, count]),
      [
        ['program', { domain: 1n, type: 2n, protocol: 0n }, 1],
        ['program', { domain: 2n, type: 1n, protocol: 0n }, 1],
        ['service', { domain: 2n, type: 1n, protocol: 0n }, 5],
      ],
    );
    assert.deepEqual(conditionsOf(policy.syscalls), [STREAM, LOCAL]);
    assert.deepEqual(conditionsOf(policy.service), [STREAM]);
    assert.ok(!summary.startUpOnly.includes('socket') && summary.startUpOnly.includes('listen'));
    assert.deepEqual(new Coverage(policy).outside(evidence), []);
    assert.equal(selkie(['compile', file, '--service', '-o', `${backend}.bpf`], { cwd: folder }).status, 0);
    const later = record(file, ['--backend', backend, '--merge', ...READY], 'd');
    assert.deepEqual(later.summary.added, ['socket(AF_INET SOCK_DGRAM IPPROTO_IP)']);
    assert.deepEqual(conditionsOf(later.policy.service).length, 1);
    assert.match(
      conditionsOf(later.policy.service)[0] ?? '',
      /^domain == AF_INET && type in \[SOCK_STREAM, SOCK_DGRAM\]/,
    );
    assert.deepEqual(new Coverage(later.policy).outside(later.evidence), []);
    assert.equal(later.summary.completeness.newRuns, 2);
  });

test('several ABIs: neither the service nor what it must be narrower than has conditions', () => {
  const { policy, text, evidence } = record('mixed.yaml', READY, 'i');
  assert.deepEqual([conditionsOf(policy.syscalls), conditionsOf(policy.service)], [['any'], ['any']]);
  assert.match(text, /- socket # no condition: several ABIs\n/);
  assert.deepEqual(new Coverage(policy).outside(evidence), []);
  assert.equal(selkie(['compile', 'mixed.yaml', '--service', '-o', 'mixed.bpf'], { cwd: folder }).status, 0);
});

test('what comes into a policy of one ABI by another one is in it after the merge', () => {
  record('abis.yaml', ['--no-floor']);
  const { policy, evidence } = record('abis.yaml', ['--no-floor', '--merge'], 'i');
  assert.deepEqual(new Coverage(policy).outside(evidence), []);
});

test('with --args a call that has selectors is notified again, however often it was seen', () => {
  record('known.yaml', []);
  const { policy, evidence } = record('known.yaml', ['--merge']);
  const results = { policy, evidence, history: undefined };
  assert.ok(knownCalls(results).includes('mprotect') && !knownCalls(results, { args: true }).includes('mprotect'));
  assert.ok(!knownCalls(results).includes('socket'));
});

test('with --args and --coarse no set stands for a call that has a condition', () => {
  const { policy } = record('coarse.yaml', ['--coarse']);
  assert.deepEqual(conditionsOf(policy.syscalls), [STREAM, LOCAL]);
  assert.ok(!policy.syscalls.some(({ call }) => call.kind === 'set' && call.name === 'network'));
});
