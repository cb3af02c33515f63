import assert from 'node:assert/strict';
import test from 'node:test';
import { ProgramError } from '../../src/base/errors.ts';
import * as op from '../../src/bpf/opcode.ts';
import { interpretStack } from '../../src/bpf/stack.ts';

const DATA = { nr: 1, arch: 0xc000_003e, instructionPointer: 0n, args: [0n, 0n, 0n, 0n, 0n, 0n] };
const returning = (k: number) => [{ code: op.BPF_RET | op.BPF_K, jt: 0, jf: 0, k }];

const KILL_PROCESS = 0x8000_0000;
const KILL_THREAD = 0;
const TRAP = 0x3_0000;
const ERRNO = 0x5_0000;
const NOTIFY = 0x7fc0_0000;
const TRACE = 0x7ff0_0000;
const LOG = 0x7ffc_0000;
const ALLOW = 0x7fff_0000;

test('actions are compared as signed numbers: kill_process before kill_thread, and so on (trap 9)', () => {
  const byRank = [KILL_PROCESS, KILL_THREAD, TRAP, ERRNO | 1, NOTIFY, TRACE, LOG, ALLOW];
  for (const [strict, stricter] of byRank.entries())
    for (const other of byRank.slice(strict)) {
      assert.equal(interpretStack([returning(other), returning(stricter)], DATA).action, stricter);
      assert.equal(interpretStack([returning(stricter), returning(other)], DATA).action, stricter);
    }
});

test('among equal actions the newest one gives the data (trap 10)', () => {
  const newer = returning(ERRNO | 7);
  const older = returning(ERRNO | 1);
  assert.deepEqual(interpretStack([newer, older], DATA), { action: ERRNO | 7, decidedBy: 0, steps: 2 });
  assert.deepEqual(interpretStack([returning(ALLOW), newer, older], DATA), {
    action: ERRNO | 7,
    decidedBy: 1,
    steps: 3,
  });
});

test('no program at all is an error', () => {
  assert.throws(() => interpretStack([], DATA), ProgramError);
});
