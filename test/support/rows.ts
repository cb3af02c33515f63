import type { Program } from '../../src/bpf/instruction.ts';
import * as op from '../../src/bpf/opcode.ts';

// Tiny BPF programs, written by hand.

/** Loads a word of struct seccomp_data by its byte offset. */
export const load = (offset: number): Program[number] => ({
  code: op.BPF_LD | op.BPF_W | op.BPF_ABS,
  jt: 0,
  jf: 0,
  k: offset,
});
export const jump = (operation: number, k: number, jt: number, jf: number): Program[number] => ({
  code: op.BPF_JMP | operation | op.BPF_K,
  jt,
  jf,
  k,
});
export const jeq = (k: number, jt: number, jf: number): Program[number] => jump(op.BPF_JEQ, k, jt, jf);
export const ret = (action: number): Program[number] => ({ code: op.BPF_RET | op.BPF_K, jt: 0, jf: 0, k: action });
