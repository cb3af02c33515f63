import { SelkieError } from '../base/errors.ts';
import { checkProgram } from '../bpf/check.ts';
import { decodeProgram, encodeProgram, INSTRUCTION_SIZE } from '../bpf/codec.ts';
import type { Instruction, Program } from '../bpf/instruction.ts';
import { BPF_K, BPF_RET } from '../bpf/opcode.ts';
import { ARCHES } from '../facts/arches.ts';
import { BPF_MAXINSNS, SECCOMP_RET_ALLOW, type SeccompData } from '../facts/seccomp.ts';
import { syscallNumber } from '../facts/syscalls.ts';
import {
  PR_SET_SECCOMP,
  SECCOMP_FILTER_FLAG_NEW_LISTENER,
  SECCOMP_MODE_FILTER,
  SECCOMP_MODE_STRICT,
  SECCOMP_SET_MODE_FILTER,
  SECCOMP_SET_MODE_STRICT,
} from '../kernel/abi.ts';
import { ProcessMemory } from '../kernel/process.ts';
import { tryFlags } from '../kernel/seccomp.ts';
import { abiOf, type ObservedArch } from './abi.ts';

/** Calls that install a filter, as a supervisor sees them: which they are, and the program in the caller's memory. */

export interface InstallationCall {
  readonly arch: ObservedArch;
  readonly by: 'seccomp' | 'prctl';
  /** SECCOMP_FILTER_FLAG_*; 0 for prctl. */
  readonly flags: number;
  /** Of struct sock_fprog. */
  readonly address: bigint;
}

const LOW_HALF = 0xffff_ffffn;

/** Whether a call installs a filter; seccomp(2) and prctl(2) read their first arguments as 32 bits, prctl its second as a long. */
export function installationOf({ nr, arch: token, args }: SeccompData): InstallationCall | undefined {
  const arch = abiOf(token, nr);
  if (arch === undefined) return undefined;
  const [first = 0n, second = 0n, third = 0n] = args;
  const operation = Number(first & LOW_HALF);
  const address = ARCHES[arch].bits === 64 ? third : third & LOW_HALF;
  if (nr === syscallNumber(arch, 'seccomp') && operation === SECCOMP_SET_MODE_FILTER)
    return { arch, by: 'seccomp', flags: Number(second & LOW_HALF), address };
  if (nr === syscallNumber(arch, 'prctl') && operation === PR_SET_SECCOMP && second === BigInt(SECCOMP_MODE_FILTER))
    return { arch, by: 'prctl', flags: 0, address };
  return undefined;
}

/** Whether a call wants to put its caller under a filter, or into strict mode. Without a program it only asks which flags there are. */
export function isConfining(data: SeccompData): boolean {
  const installation = installationOf(data);
  if (installation !== undefined) return installation.address !== 0n;
  const { nr, arch: token, args } = data;
  const arch = abiOf(token, nr);
  const [first = 0n, second = 0n] = args;
  const operation = Number(first & LOW_HALF);
  if (arch === undefined) return false;
  if (nr === syscallNumber(arch, 'seccomp')) return operation === SECCOMP_SET_MODE_STRICT;
  return nr === syscallNumber(arch, 'prctl') && operation === PR_SET_SECCOMP && second === BigInt(SECCOMP_MODE_STRICT);
}

const EFAULT = 14;
const EBUSY = 16;
const EINVAL = 22;

/** What an installation would do. */
export interface Installation {
  /** Absent where it could not be read. */
  readonly program?: Program;
  /**
   * What the kernel answers below a listener and with no_new_privs, both of which are always there in a supervised command: 0 or an errno.
   * Undefined where that is not known, as the caller's memory is closed to us.
   */
  readonly errno: number | undefined;
}

/**
 * Reads what a waiting caller wants to install, and says what the kernel will answer. What it will read is the same, unless another
 * thread of the caller changes it meanwhile.
 *
 * @see kernel/seccomp.c seccomp_set_mode_filter, seccomp_prepare_user_filter (v6.18): flags, program, then the listener
 */
export function readInstallation(tid: number, call: InstallationCall): Installation {
  // The kernel is asked about the flags alone: with a null program it says EFAULT for those that it takes.
  if (call.by === 'seccomp' && tryFlags(call.flags) === -EINVAL) return { errno: EINVAL };
  const memory = ProcessMemory.open(tid);
  if (memory === undefined) return { errno: undefined };
  try {
    const program = readProgram(memory, call);
    if (typeof program === 'number') return { errno: program };
    if (!isAcceptable(program)) return { program, errno: EINVAL };
    return { program, errno: (call.flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) === 0 ? 0 : EBUSY };
  } finally {
    memory.close();
  }
}

/** Where a struct sock_fprog says that a program is; `count` in instructions. */
interface ProgramPlace {
  readonly count: number;
  readonly pointer: bigint;
}

/**
 * struct sock_fprog: u16 count | padding to a pointer's size | pointer. 16 bytes, or 8 for callers of 32 bits: i386, x32 and
 * int 0x80 (net/core/filter.c struct compat_sock_fprog).
 */
function readPlace(memory: ProcessMemory, { arch, address }: InstallationCall): ProgramPlace | undefined {
  const isWide = ARCHES[arch].bits === 64;
  const header = memory.read(address, isWide ? 16 : 8);
  if (header === undefined) return undefined;
  const view = new DataView(header.buffer);
  const pointer = isWide ? view.getBigUint64(8, true) : BigInt(view.getUint32(4, true));
  return { count: view.getUint16(0, true), pointer };
}

function readProgram(memory: ProcessMemory, call: InstallationCall): Program | number {
  const place = readPlace(memory, call);
  if (place === undefined) return EFAULT;
  if (place.count === 0 || place.count > BPF_MAXINSNS) return EINVAL;
  const bytes = memory.read(place.pointer, place.count * INSTRUCTION_SIZE);
  return bytes === undefined ? EFAULT : decodeProgram(bytes);
}

const ALLOW: Instruction = { code: BPF_RET | BPF_K, jt: 0, jf: 0, k: SECCOMP_RET_ALLOW };

/**
 * Makes a waiting caller install a program that allows all instead of its own, whose first instruction is replaced: the kernel then
 * counts a filter on its threads, and nothing is denied by it.
 *
 * @param program - what `readInstallation` read there
 * @returns puts the caller's memory back: to be called when its call is over. What the caller has written there since stays (a stack is
 *   used again soon), and so does all where it has ended or executes another program. Undefined where it cannot be done
 */
export function disarmInstallation(tid: number, call: InstallationCall, program: Program): (() => void) | undefined {
  // Something that is stored first may be loaded later, where the kernel's checker misses it.
  if (!isAcceptable([ALLOW, ...program.slice(1)])) return undefined;
  const memory = ProcessMemory.open(tid);
  const pointer = memory && readPlace(memory, call)?.pointer;
  const bytes = encodeProgram([ALLOW]);
  const saved = pointer === undefined ? undefined : memory?.read(pointer, bytes.length);
  if (memory === undefined || pointer === undefined || saved === undefined || !memory.write(pointer, bytes)) {
    memory?.close();
    return undefined;
  }
  return () => {
    const now = memory.read(pointer, bytes.length);
    if (now !== undefined && Buffer.from(now).equals(bytes)) memory.write(pointer, saved);
    memory.close();
  };
}

function isAcceptable(program: Program): boolean {
  try {
    checkProgram(program);
    return true;
  } catch (error) {
    if (error instanceof SelkieError) return false;
    throw error;
  }
}
