import { readFileSync } from 'node:fs';
import { ARCHES } from '../facts/arches.ts';
import type { SeccompData } from '../facts/seccomp.ts';
import { kill, ProcessMemory, processStatus } from '../kernel/process.ts';
import { KILL_NR } from './filter.ts';

/**
 * Carries out kill_process: the code behind the denied call becomes a call that our filter kills, so that the kernel itself gives the death
 * (SIGSYS that no handler sees, core file and all).
 *
 *     mov eax, KILL_NR    b8 imm32
 *     syscall             0f 05         (int 0x80 for i386: cd 80)
 */

const SIGKILL = 9;
const EPERM = 1;
const PATIENCE_MS = 200;

/** Kills the caller of a notified call; `answer` ends its wait. */
export function killCaller(tid: number, data: SeccompData, answer: (errno: number) => void): void {
  const memory = ProcessMemory.open(tid);
  const code = Uint8Array.of(0xb8, 0, 0, 0, 0, ...(data.arch === ARCHES.i386.token ? [0xcd, 0x80] : [0x0f, 0x05]));
  new DataView(code.buffer).setUint32(1, KILL_NR, true);
  const saved = memory?.read(data.instructionPointer, code.length);
  // Without the right to write there the death is SIGKILL's: never a softer answer than the policy's.
  if (!saved || !memory?.write(data.instructionPointer, code)) kill(processStatus(tid)?.tgid ?? tid, SIGKILL);
  answer(EPERM);
  if (saved) waitForEnd(tid);
  // A parent that shares its memory (vfork) lives on.
  if (saved) memory?.write(data.instructionPointer, saved);
  memory?.close();
}

function waitForEnd(tid: number): void {
  const word = new Int32Array(new SharedArrayBuffer(4));
  for (let waited = 0; waited < PATIENCE_MS && isAlive(tid); waited += 1) Atomics.wait(word, 0, 0, 1);
}

function isAlive(tid: number): boolean {
  try {
    return !/.*\) [ZX]/s.test(readFileSync(`/proc/${tid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}
