import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { after, test } from 'node:test';
import { PROBE_MAX_STEPS, type ProbeStep, proberElf } from '../../src/elf/stubs/prober-x86-64.ts';
import { NR } from '../../src/kernel/abi.ts';
import { askProbes, type ProbeAnswer, refusalOf } from '../../src/kernel/prober.ts';
import { TrialFiles } from '../../src/kernel/trial-files.ts';
import { denying } from '../support/filters.ts';

const files = TrialFiles.open(proberElf([])) as TrialFiles;
after(() => files.remove());

const PAUSE = 34;
const EXIT_GROUP = 231;
const UNAME = 63;
const SIGKILL = 9;
const install = (filter: Uint8Array): readonly ProbeStep[] => [
  { nr: NR.prctl, args: [38, 1, 0, 0, 0] },
  { nr: NR.seccomp, args: [1, 0, { filter }] },
];

function ask(steps: readonly ProbeStep[]): ProbeAnswer {
  return askProbes(files, { one: { steps } }).of('one');
}

test('a probe gives the result of every step, and the exit code', () => {
  const steps: ProbeStep[] = [
    { nr: NR.close, args: [-1] },
    { nr: NR.memfd_create, args: [{ bytes: Buffer.from('x\0') }, 0] },
    { nr: NR.write, args: [{ result: 1 }, { memory: 0 }, 100] },
    { nr: EXIT_GROUP, args: [7] },
    { nr: NR.close, args: [1] },
  ];
  assert.deepEqual(ask(steps), { results: [-9, 3, 100], signal: undefined, code: 7 });
});

test('what one probe does to itself the next one does not have', () => {
  const probes = {
    first: { steps: [...install(denying(UNAME)), { nr: UNAME, args: [{ memory: 0 }] }] },
    second: { steps: [{ nr: UNAME, args: [{ memory: 0 }] }] },
  };
  const answers = askProbes(files, probes);
  assert.deepEqual(answers.of('first').results, [0, 0, -1]);
  assert.deepEqual(answers.of('second').results, [0]);
});

test('a probe that kills itself, and one that hangs, are over in their time, and others are asked', () => {
  const probes = {
    killed: { steps: [{ start: 'process' }, { nr: NR.getpid }, { nr: NR.kill, args: [{ result: 1 }, SIGKILL] }] },
    hanging: { steps: [{ nr: PAUSE }] },
    good: { steps: [{ nr: NR.getpid }] },
  } as const;
  const start = performance.now();
  const answers = askProbes(files, probes);
  assert.ok(performance.now() - start < 4000);
  assert.equal(answers.of('killed').signal, 'SIGKILL');
  assert.equal(refusalOf(answers.of('hanging'), 0), 'killed by SIGALRM');
  assert.equal(answers.of('good').code, 0);
});

test('the peer is a process that can be looked up and killed, and a thread of the same process', () => {
  const peer = ask([
    { start: 'process' },
    { nr: NR.kill, args: ['peer', 0] },
    { nr: NR.kill, args: ['peer', SIGKILL] },
    { nr: NR.wait4, args: ['peer', 0, 0, 0] },
  ]);
  assert.deepEqual(peer.results.slice(1), [0, 0, peer.results[0]]);
  assert.ok(!readdirSync('/proc').includes(String(peer.results[0])));
  const thread = ask([{ start: 'thread' }, { nr: NR.kill, args: ['peer', 0] }]);
  assert.ok((thread.results[0] ?? 0) > 0);
});

test('int 0x80 and timings', () => {
  const { results } = ask([{ nr: 20, entry: 'int80' }, { times: 10 }, { times: 1000 }]);
  assert.ok((results[2] ?? 0) > (results[1] ?? 0));
});

test('no more steps than a slot holds', () => {
  const steps = Array.from({ length: PROBE_MAX_STEPS + 1 }, () => ({ nr: NR.getpid }));
  assert.throws(() => proberElf([{ steps }]), RangeError);
});
