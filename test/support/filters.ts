import {
  OFFSET_ARCH,
  OFFSET_ARGS,
  OFFSET_NR,
  PROBE_ARGUMENT,
  PROBE_ERRNO,
  PROBE_OPERATION,
  SECCOMP_RET_ALLOW,
  SECCOMP_RET_ERRNO,
  SECCOMP_RET_KILL_PROCESS,
} from '../../src/facts/seccomp.ts';

const AUDIT_ARCH_X86_64 = 0xc000_003e;
const NR_SECCOMP = 317;
// BPF_LD | BPF_W | BPF_ABS, BPF_JMP | BPF_JEQ | BPF_K, BPF_RET | BPF_K.
const LOAD = 0x20;
const JEQ = 0x15;
const RET = 0x06;

/** EPERM of every architecture. */
export const EPERM = 1;
const ENOSYS = 38;

/** Encodes [code, jt, jf, k] rows as struct sock_filter, little-endian. */
export function encode(rows: readonly (readonly [number, number, number, number])[]): Uint8Array {
  const bytes = new Uint8Array(rows.length * 8);
  const view = new DataView(bytes.buffer);
  rows.forEach(([code, jt, jf, k], index) => {
    view.setUint16(index * 8, code, true);
    view.setUint8(index * 8 + 2, jt);
    view.setUint8(index * 8 + 3, jf);
    view.setUint32(index * 8 + 4, k, true);
  });
  return bytes;
}

/** Allows every call of x86-64 but these numbers, which get EPERM, and answers the probe call; other ABIs are killed. */
export function denying(...numbers: readonly number[]): Uint8Array {
  return encode([
    [LOAD, 0, 0, OFFSET_ARCH],
    [JEQ, 1, 0, AUDIT_ARCH_X86_64],
    [RET, 0, 0, SECCOMP_RET_KILL_PROCESS],
    [LOAD, 0, 0, OFFSET_NR],
    ...numbers.flatMap((number): [number, number, number, number][] => [
      [JEQ, 0, 1, number],
      [RET, 0, 0, SECCOMP_RET_ERRNO | EPERM],
    ]),
    [JEQ, 1, 0, NR_SECCOMP],
    [RET, 0, 0, SECCOMP_RET_ALLOW],
    [LOAD, 0, 0, OFFSET_ARGS],
    [JEQ, 1, 0, PROBE_OPERATION],
    [RET, 0, 0, SECCOMP_RET_ALLOW],
    [LOAD, 0, 0, OFFSET_ARGS + 8],
    [JEQ, 0, 1, PROBE_ARGUMENT],
    [RET, 0, 0, SECCOMP_RET_ERRNO | PROBE_ERRNO],
    [RET, 0, 0, SECCOMP_RET_ALLOW],
  ]);
}

/** Numbers of x86-64 that tests deny. */
export const NR = { socket: 41, uname: 63 } as const;

/** Allows these numbers of x86-64, answers ENOSYS to others, refuses all else by EPERM or kill, and answers the probe call. */
export function allowing(allowed: readonly number[], absent: readonly number[], refusal: 'errno' | 'kill'): Uint8Array {
  type Row = [number, number, number, number];
  const answer = (number: number, action: number): Row[] => [
    [JEQ, 0, 1, number],
    [RET, 0, 0, action],
  ];
  const refused = refusal === 'kill' ? SECCOMP_RET_KILL_PROCESS : SECCOMP_RET_ERRNO | EPERM;
  return encode([
    [LOAD, 0, 0, OFFSET_ARCH],
    [JEQ, 1, 0, AUDIT_ARCH_X86_64],
    [RET, 0, 0, SECCOMP_RET_KILL_PROCESS],
    [LOAD, 0, 0, OFFSET_NR],
    ...allowed.flatMap((number) => answer(number, SECCOMP_RET_ALLOW)),
    ...absent.flatMap((number) => answer(number, SECCOMP_RET_ERRNO | ENOSYS)),
    [JEQ, 1, 0, NR_SECCOMP],
    [RET, 0, 0, refused],
    [LOAD, 0, 0, OFFSET_ARGS],
    [JEQ, 1, 0, PROBE_OPERATION],
    [RET, 0, 0, refused],
    [LOAD, 0, 0, OFFSET_ARGS + 8],
    [JEQ, 0, 1, PROBE_ARGUMENT],
    [RET, 0, 0, SECCOMP_RET_ERRNO | PROBE_ERRNO],
    [RET, 0, 0, refused],
  ]);
}
