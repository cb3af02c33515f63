// The running kernel as a judge of compiled programs, for x86_64, x32 and i386. Every return is mapped to an errno of its own, so nothing
// executes. Left out: 335 (uretprobe) and 336 (uprobe), which the kernel lets pass before any filter, and numbers of other tokens, which cannot be called.
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeProgram } from '../../src/bpf/codec.ts';
import type { Program } from '../../src/bpf/instruction.ts';
import * as op from '../../src/bpf/opcode.ts';
import { ARCHES } from '../../src/facts/arches.ts';
import { SECCOMP_RET_ERRNO, type SeccompData } from '../../src/facts/seccomp.ts';
import { ROOT } from './selkie.ts';

const CALL_SIZE = 56;

/** Errnos from 1 on, one for each action of a program. */
function errnosOf(program: Program): ReadonlyMap<number, number> {
  const actions = new Set(program.filter(({ code }) => (code & op.CLASS_MASK) === op.BPF_RET).map(({ k }) => k));
  return new Map([...actions].map((action, index) => [action, index + 1]));
}

function withErrnos(program: Program, errnos: ReadonlyMap<number, number>): Program {
  return program.map((instruction) => {
    if ((instruction.code & op.CLASS_MASK) !== op.BPF_RET) return instruction;
    return { ...instruction, k: SECCOMP_RET_ERRNO | (errnos.get(instruction.k) as number) };
  });
}

/** Calls as this machine's caller can make them: i386 arguments have 32 bits; the instruction pointer is the caller's own. */
export function callable({ nr, arch, args }: SeccompData): SeccompData | undefined {
  if (nr === 335 || nr === 336) return undefined;
  if (arch === ARCHES.x86_64.token) return { nr, arch, args, instructionPointer: 0n };
  if (arch !== ARCHES.i386.token) return undefined;
  return { nr, arch, args: args.map((value) => value & 0xffff_ffffn), instructionPointer: 0n };
}

function encodeCalls(calls: readonly SeccompData[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(calls.length * CALL_SIZE));
  calls.forEach(({ nr, arch, args }, index) => {
    view.setUint32(index * CALL_SIZE, arch === ARCHES.i386.token ? 1 : 0, true);
    view.setUint32(index * CALL_SIZE + 4, nr, true);
    args.forEach((value, argument) => {
      view.setBigUint64(index * CALL_SIZE + 8 + 8 * argument, value, true);
    });
  });
  return new Uint8Array(view.buffer);
}

/** Asks the kernel what a program returns for calls. */
export type KernelCaller = (program: Program, calls: readonly SeccompData[]) => number[];

/** Builds the program that makes the calls, in a folder of the caller's. */
export function kernelCaller(folder: string): KernelCaller {
  const caller = join(folder, 'caller');
  execFileSync('gcc', ['-O1', '-static', '-o', caller, join(ROOT, 'test/programs/caller.c')]);
  return (program, calls) => {
    const errnos = errnosOf(program);
    writeFileSync(join(folder, 'program'), encodeProgram(withErrnos(program, errnos)));
    writeFileSync(join(folder, 'calls'), encodeCalls(calls));
    writeFileSync(join(folder, 'answers'), new Uint8Array(8 * calls.length));
    const { status, stderr } = spawnSync(caller, ['program', 'calls', 'answers'], { cwd: folder, encoding: 'utf8' });
    if (status !== 0) throw new Error(`caller: ${status}: ${stderr}`);
    const bytes = readFileSync(join(folder, 'answers'));
    const actions = new Map([...errnos].map(([action, errno]) => [BigInt(-errno), action]));
    return calls.map((_, index) => actions.get(bytes.readBigInt64LE(8 * index)) ?? -1);
  };
}
