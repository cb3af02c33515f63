import { encodeProgram } from '../bpf/codec.ts';
import type { Instruction } from '../bpf/instruction.ts';
import { BPF_ABS, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W } from '../bpf/opcode.ts';
import { ARCHES } from '../facts/arches.ts';
import {
  OFFSET_ARCH,
  OFFSET_ARGS,
  OFFSET_NR,
  PROBE_ARGUMENT,
  PROBE_ERRNO,
  PROBE_OPERATION,
  SECCOMP_RET_ALLOW,
  SECCOMP_RET_ERRNO,
  SECCOMP_RET_USER_NOTIF,
} from '../facts/seccomp.ts';
import { syscallNumber } from '../facts/syscalls.ts';
import { NATIVE_ARCH } from '../kernel/native.ts';

const load = (offset: number): Instruction => ({ code: BPF_LD | BPF_W | BPF_ABS, jt: 0, jf: 0, k: offset });
const answer = (k: number): Instruction => ({ code: BPF_RET | BPF_K, jt: 0, jf: 0, k });
const equal = (k: number, jt: number, jf: number): Instruction => ({ code: BPF_JMP | BPF_JEQ | BPF_K, jt, jf, k });

/**
 * The filter that notifies all but known calls of this machine's own ABI, encoded; it answers the probe call, and no other call of seccomp(2) is known. Written
 * out rather than compiled from a policy: the command waits for it, and the kernel's bitmap spares known calls all of it. Others wait much
 * longer for their notification than for the list.
 */
export function recordingFilter(known: readonly string[]): Uint8Array {
  const number = (name: string): number => syscallNumber(NATIVE_ARCH, name) as number;
  const notify = answer(SECCOMP_RET_USER_NOTIF);
  return encodeProgram([
    load(OFFSET_ARCH),
    equal(ARCHES[NATIVE_ARCH].token, 1, 0),
    notify,
    load(OFFSET_NR),
    ...known
      .filter((name) => name !== 'seccomp')
      .flatMap((name) => [equal(number(name), 0, 1), answer(SECCOMP_RET_ALLOW)]),
    equal(number('seccomp'), 1, 0),
    notify,
    load(OFFSET_ARGS),
    equal(PROBE_OPERATION, 1, 0),
    notify,
    load(OFFSET_ARGS + 8),
    equal(PROBE_ARGUMENT, 1, 0),
    notify,
    answer((SECCOMP_RET_ERRNO | PROBE_ERRNO) >>> 0),
  ]);
}
