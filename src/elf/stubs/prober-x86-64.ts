import { type Assembler, at } from '../asm-x86-64.ts';
import type { Register64 } from '../registers-x86-64.ts';
import { call, staticElf } from './static-x86-64.ts';

/**
 * The prober: a program that makes system calls to see what they answer, each probe in a child of its own, so that a probe may change its
 * process, hang or be killed by a filter without any harm. It writes one slot of PROBE_SLOT bytes for every probe, in their order:
 *
 *     i64 wait status of the child, or -errno of clone(2) | u64 how many steps were done | i64 result of each step
 *
 * Started with any argument it exits with 0 at once: so it serves as the command of a trial.
 */

export const PROBE_SLOT = 128;
const RESULTS = 16;
export const PROBE_MAX_STEPS: number = (PROBE_SLOT - RESULTS) / 8;

/** An argument of a call: a number, bytes or strings that the prober holds, a result of an earlier step, memory, or the peer's pid. */
export type ProbeArgument =
  | number
  | bigint
  | { readonly bytes: Uint8Array }
  /** A NULL-terminated array of strings, as argv. */
  | { readonly strings: readonly string[] }
  /** struct sock_fprog of these encoded instructions. */
  | { readonly filter: Uint8Array }
  | { readonly result: number }
  /** Offset in 8 KiB of zeros. */
  | { readonly memory: number }
  | 'peer';

/** What a probe does next. Its result: the call's, the new peer's id, cycles, or a word of memory. */
export type ProbeStep =
  | { readonly nr: number; readonly args?: readonly ProbeArgument[]; readonly entry?: 'syscall' | 'int80' }
  /** Starts the peer: a process, to be killed by a later step, or a thread of this one. It sleeps. */
  | { readonly start: 'process' | 'thread' }
  /** Cycles that so many calls take, of getppid(2) where no other is named. */
  | { readonly times: number; readonly nr?: number; readonly args?: readonly ProbeArgument[] }
  /** The processor's counter of cycles. */
  | { readonly read: 'cycles' }
  /** 64 bits at an offset in the zeros that `memory` gives. */
  | { readonly read: number };

export interface Probe {
  readonly steps: readonly ProbeStep[];
}

const NR_MMAP = 9;
const NR_PAUSE = 34;
const NR_ALARM = 37;
const NR_GETPPID = 110;
const PROT_READ_WRITE = 3;
const MAP_SHARED_ANONYMOUS = 0x21;
const SIGCHLD = 17;
const WALL = 0x4000_0000;
/** CLONE_VM | FS | FILES | SIGHAND | THREAD | SYSVSEM. */
const CLONE_A_THREAD = 0x100 | 0x200 | 0x400 | 0x800 | 0x1_0000 | 0x4_0000;
/** Memory of a probe below its stack: zeros for arguments, then the stack of its thread. */
const MEMORY = 0x2000;
const THREAD_STACK = 0x1000;
/** A probe or peer that takes longer is ended by SIGALRM, in seconds. */
const PROBE_SECONDS = 1;
const ARGUMENT_REGISTERS: readonly Register64[] = ['rdi', 'rsi', 'rdx', 'r10', 'r8', 'r9'];

/**
 * Generates the prober.
 *
 * @throws RangeError for a probe of more than PROBE_MAX_STEPS steps
 */
export function proberElf(probes: readonly Probe[]): Uint8Array {
  return staticElf((code, addressOf) => {
    const data = new ProbeData();
    begin(code);
    probes.forEach(({ steps }, index) => {
      if (steps.length > PROBE_MAX_STEPS) throw new RangeError(`a probe has at most ${PROBE_MAX_STEPS} steps`);
      emitProbe(code, steps, index, data);
    });
    code.label('end').xor('edi', 'edi');
    call(code, 'exit_group').hlt();
    data.emit(code, addressOf);
  });
}

/** A program that sleeps, for somebody to look into: it ends by itself after a while. */
export function sleeperElf(): Uint8Array {
  return staticElf((code) => {
    limitTime(code.endbr64());
    code.label('sleep').mov('eax', NR_PAUSE).syscall().jmp('sleep');
  });
}

/** rbx = the shared slot, r13 = MEMORY bytes of zeros. */
function begin(code: Assembler): void {
  code.endbr64().mov('rax', at('rsp')).cmp('rax', 1).jcc('ne', 'end');
  code.and('rsp', -64).sub('rsp', THREAD_STACK).sub('rsp', MEMORY).mov('r13', 'rsp').sub('rsp', 256);
  // The stack below argc is zero: nothing has run here yet.
  code.xor('edi', 'edi').mov('esi', PROBE_SLOT).mov('edx', PROT_READ_WRITE).mov('r10d', MAP_SHARED_ANONYMOUS);
  code.mov('r8', -1).xor('r9d', 'r9d').mov('eax', NR_MMAP).syscall();
  code.test('rax', 'rax').jcc('s', 'end').mov('rbx', 'rax');
}

function emitProbe(code: Assembler, steps: readonly ProbeStep[], index: number, data: ProbeData): void {
  const child = `child${index}`;
  const written = `written${index}`;
  code.mov(at('rbx'), 0).mov(at('rbx', 8), 0);
  fork(code).test('rax', 'rax').jcc('e', child);
  code.mov('r12', 'rax').mov(at('rbx'), 'rax').jcc('s', written);
  code.mov('rdi', 'r12').mov('rsi', 'rbx').mov('edx', WALL).xor('r10d', 'r10d').mov(at('rbx'), 0);
  call(code, 'wait4').label(written);
  code.mov('edi', 1).mov('rsi', 'rbx').mov('edx', PROBE_SLOT);
  call(code, 'write').jmp(`next${index}`);
  code.label(child);
  limitTime(code);
  steps.forEach((step, number) => {
    emitStep(code, step, `${index}.${number}`, data);
    code.mov(at('rbx', RESULTS + 8 * number), 'rax').mov(at('rbx', 8), number + 1);
  });
  code.jmp('end').label(`next${index}`);
}

/** clone(2) as fork(2): the child's pid or 0 is in rax. */
function fork(code: Assembler): Assembler {
  code.mov('edi', SIGCHLD).xor('esi', 'esi').xor('edx', 'edx').xor('r10d', 'r10d').xor('r8d', 'r8d');
  return call(code, 'clone');
}

/** Nothing stays behind, however a probe ends. */
function limitTime(code: Assembler): void {
  code.mov('edi', PROBE_SECONDS).mov('eax', NR_ALARM).syscall();
}

/** The step's result is in rax. */
function emitStep(code: Assembler, step: ProbeStep, name: string, data: ProbeData): void {
  if ('start' in step) emitStart(code, step.start, name);
  else if ('read' in step) {
    if (step.read === 'cycles') readCycles(code);
    else code.mov('rax', at('r13', step.read));
  } else if ('times' in step) {
    loadAll(code, step.args, data);
    emitTiming(code, step.times, step.nr ?? NR_GETPPID, name);
  } else if (step.entry === 'int80') code.mov('eax', step.nr).int80();
  else {
    loadAll(code, step.args, data);
    code.mov('eax', step.nr).syscall();
  }
}

function loadAll(code: Assembler, args: readonly ProbeArgument[] | undefined, data: ProbeData): void {
  args?.forEach((argument, index) => {
    load(code, ARGUMENT_REGISTERS[index] as Register64, argument, data);
  });
}

/** rdtsc, joined in rax; rdx is lost. */
function readCycles(code: Assembler): Assembler {
  return code.bytes(0x0f, 0x31).shl('rdx', 32).or('rax', 'rdx');
}

/** r14 = the peer: it sleeps for ever. */
function emitStart(code: Assembler, what: 'process' | 'thread', name: string): void {
  if (what === 'process') fork(code);
  else {
    code.mov('edi', CLONE_A_THREAD).lea('rsi', at('r13', MEMORY + THREAD_STACK));
    call(code.xor('edx', 'edx').xor('r10d', 'r10d').xor('r8d', 'r8d'), 'clone');
  }
  code.test('rax', 'rax').jcc('ne', `started${name}`);
  if (what === 'process') limitTime(code);
  code.label(`sleep${name}`).mov('eax', NR_PAUSE).syscall().jmp(`sleep${name}`);
  code.label(`started${name}`).mov('r14', 'rax');
}

/** Cycles that `times` calls take: rdtsc before and after. The kernel keeps argument registers, rdx is kept here. */
function emitTiming(code: Assembler, times: number, nr: number, name: string): void {
  code.mov('r12', 'rdx');
  readCycles(code).mov('r14', 'rax').mov('rdx', 'r12').mov('r15d', times);
  code.label(`again${name}`).mov('eax', nr).syscall().dec('r15d').jcc('ne', `again${name}`);
  readCycles(code).sub('rax', 'r14');
}

function load(code: Assembler, register: Register64, argument: ProbeArgument, data: ProbeData): void {
  if (typeof argument === 'number' || typeof argument === 'bigint')
    code.mov(register, BigInt.asUintN(64, BigInt(argument)));
  else if (argument === 'peer') code.mov(register, 'r14');
  else if ('result' in argument) code.mov(register, at('rbx', RESULTS + 8 * argument.result));
  else if ('memory' in argument) code.lea(register, at('r13', argument.memory));
  else code.lea(register, data.label(argument));
}

type Held = Extract<ProbeArgument, { bytes: unknown } | { strings: unknown } | { filter: unknown }>;

/** What the arguments point to. */
class ProbeData {
  readonly #held = new Map<Held, string>();

  label(held: Held): string {
    const label = this.#held.get(held) ?? `held${this.#held.size}`;
    this.#held.set(held, label);
    return label;
  }

  emit(code: Assembler, addressOf: (label: string) => bigint): void {
    for (const [held, label] of this.#held) {
      if ('bytes' in held) code.align(8).label(label).data(held.bytes);
      else if ('strings' in held) emitStrings(code, label, held.strings, addressOf);
      else emitFilter(code, label, held.filter, addressOf);
    }
  }
}

function emitStrings(code: Assembler, label: string, strings: readonly string[], addressOf: (label: string) => bigint) {
  strings.forEach((string, index) => {
    code.label(`${label}.${index}`).text(`${string}\0`);
  });
  code.align(8).label(label);
  for (const index of strings.keys()) code.u64(addressOf(`${label}.${index}`));
  code.u64(0n);
}

/** struct sock_fprog: u16 count | 6 bytes | pointer. */
function emitFilter(code: Assembler, label: string, filter: Uint8Array, addressOf: (label: string) => bigint): void {
  code
    .align(8)
    .label(label)
    .u64(BigInt(filter.length / 8))
    .u64(addressOf(`${label}.program`));
  code.label(`${label}.program`).data(filter);
}
