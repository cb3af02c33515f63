/**
 * The code that a sealed program enters first: it puts the filter in force, proves that it is, and goes on to the program's own
 * entry. Whatever fails ends in a message and exit status 125; no path leads from there to the program.
 */
import { PROBE_ARGUMENT, PROBE_ERRNO, PROBE_OPERATION } from '../../facts/seccomp.ts';
import { Assembler, at } from '../asm-x86-64.ts';
import { RULE } from '../paths-table.ts';
import { AT_FDCWD } from './answerer-state.ts';
import { LANDLOCK_STEPS, type LandlockStep, PATH_TEXT, TASK_FOLDER } from './landlock.ts';
import { restrictPaths } from './landlock-x86-64.ts';
import { call } from './static-x86-64.ts';

// x86-64 numbers: arch/x86/entry/syscalls/syscall_64.tbl.
const NR_WRITE = 1;
const NR_EXIT = 60;
const NR_PRCTL = 157;
const NR_EXIT_GROUP = 231;
const NR_SECCOMP = 317;
// include/uapi/linux/prctl.h and seccomp.h.
const PR_SET_NO_NEW_PRIVS = 38;
const PR_GET_NO_NEW_PRIVS = 39;
const SECCOMP_SET_MODE_FILTER = 1;
const SECCOMP_FILTER_FLAG_TSYNC = 1;

const STDERR = 2;
/** Exit status of everything that is Selkie's own failure. */
export const SEAL_STATUS = 125;

/** Where the line that says what failed is made, in bytes from the stack pointer: all of it, and the end of its number. */
export const LINE = { size: 256, digits: 250 } as const;
/** A path has up to 4,095 bytes; these are immediates of AArch64. */
export const LINE_WITH_PATH = { size: 0x3000, digits: 0x2000 } as const;

/** What failed, as the message names it. */
export const SEAL_STEPS = {
  privileges: 'no_new_privs',
  privilegesProof: 'the proof of no_new_privs',
  filter: 'seccomp',
  filterProof: 'the proof of the filter',
} as const;
export type SealStep = keyof typeof SEAL_STEPS;

/** The same of stubs with `paths:`. */
export const PATH_STEPS: Readonly<Record<LandlockStep | 'alone', string>> = {
  ...LANDLOCK_STEPS,
  alone: 'paths: reach one thread alone: the count of threads by /proc',
};

/** Where things are, in bytes from the start of the stub. */
export interface SealStubPlan {
  /** The encoded program. */
  readonly program: number;
  /** Instructions of the program. */
  readonly count: number;
  /** The program's own entry; may be negative. */
  readonly entry: number;
  /** Absent: no Landlock. */
  readonly paths?: SealPaths;
}

export interface SealPaths {
  /** The table of paths-table.ts, in bytes from the start of the stub. */
  readonly table: number;
  /** ld.so and libraries run before the stub: they may have started threads, which Landlock cannot reach. */
  readonly hasLoader: boolean;
}

/**
 * The stub's code. Its length does not depend on places, only on whether there are paths and a loader.
 * @throws RangeError when the entry is more than 2 GiB away.
 */
export function sealStub(plan: SealStubPlan): Uint8Array {
  const code = new Assembler().endbr64();
  // rdx holds ld.so's exit function (0 in static programs) and must reach the program, as must rsp.
  code.push('rdx');
  emitPrivileges(code);
  if (plan.paths) emitPaths(code, plan.paths);
  emitFilter(code, plan);
  emitProbe(code);
  emitLeave(code, plan);
  emitFailure(code, plan.paths !== undefined);
  emitTexts(code, plan.paths !== undefined);
  return code.assemble();
}

/** Sets no_new_privs and asks for it: an outer filter that answers 0 for the whole of prctl(2) is found out. */
function emitPrivileges(code: Assembler): void {
  beginStep(code, 'privileges');
  code.mov('edi', PR_SET_NO_NEW_PRIVS).mov('esi', 1);
  emitPrctl(code).test('rax', 'rax').jcc('ne', 'failed');
  beginStep(code, 'privilegesProof');
  code.mov('edi', PR_GET_NO_NEW_PRIVS).xor('esi', 'esi');
  emitPrctl(code).cmp('rax', 1).jcc('ne', 'failed');
}

/** prctl(edi, esi, 0, 0, 0): the kernel wants zeros in what is unused. */
function emitPrctl(code: Assembler): Assembler {
  return code.xor('edx', 'edx').xor('r10d', 'r10d').xor('r8d', 'r8d').mov('eax', NR_PRCTL).syscall();
}

/** r12 and r13 may be the program's; the last look is at threads, so that none can begin between it and the restriction. */
function emitPaths(code: Assembler, { table, hasLoader }: SealPaths): void {
  code.push('r12').push('r13').lea('r12', '', table);
  restrictPaths(code, { step: (step) => beginStep(code, step), failed: 'failed', failedPath: 'failedPath' });
  if (hasLoader) requireAlone(code);
  code.pop('r13').pop('r12');
}

/** A process's folder of tasks has a link for each thread beside its own two: fs/proc/base.c proc_task_getattr. */
function requireAlone(code: Assembler): void {
  const [SIZE, LINKS] = [144, 16];
  beginStep(code, 'alone');
  code.sub('rsp', SIZE).mov(at('rsp', LINKS), 0).mov('rdi', AT_FDCWD).lea('rsi', 'taskFolder').mov('rdx', 'rsp');
  call(code.xor('r10d', 'r10d'), 'newfstatat').test('rax', 'rax').jcc('ne', 'failed');
  code.mov('rax', at('rsp', LINKS)).sub('rax', 2).cmp('rax', 1).jcc('ne', 'failed').add('rsp', SIZE);
}

/** seccomp(SET_MODE_FILTER, TSYNC, &fprog), fprog on the stack. A thread that cannot follow is a result above 0. */
function emitFilter(code: Assembler, plan: SealStubPlan): void {
  beginStep(code, 'filter');
  // struct sock_fprog: u16 len, padding, pointer.
  code.lea('rax', '', plan.program).push('rax').mov('ecx', plan.count).push('rcx');
  code.mov('edi', SECCOMP_SET_MODE_FILTER).mov('esi', SECCOMP_FILTER_FLAG_TSYNC).mov('rdx', 'rsp');
  code.mov('eax', NR_SECCOMP).syscall().pop('rcx').pop('rcx');
  code.test('rax', 'rax').jcc('ne', 'failed');
}

/** Only our own program answers this call with this errno. */
function emitProbe(code: Assembler): void {
  beginStep(code, 'filterProof');
  code.mov('edi', PROBE_OPERATION).mov('esi', PROBE_ARGUMENT).xor('edx', 'edx');
  code.mov('eax', NR_SECCOMP).syscall();
  code.cmp('rax', -PROBE_ERRNO).jcc('ne', 'failed');
}

/** Registers as the kernel leaves them (rcx, r11: what syscall clobbers; all zero at a static program's start). */
function emitLeave(code: Assembler, plan: SealStubPlan): void {
  for (const register of ['eax', 'ecx', 'esi', 'edi', 'r8d', 'r9d', 'r10d', 'r11d'] as const) {
    code.xor(register, register);
  }
  code.pop('rdx').jmpFromStart(plan.entry);
}

/** r9 survives system calls: it points to the name of the step that is being tried. */
function beginStep(code: Assembler, step: SealStep | keyof typeof PATH_STEPS): void {
  code.lea('r9', step);
}

/** Writes one line (one write, so that lines of several processes do not mix) and ends the process. */
function emitFailure(code: Assembler, hasPaths: boolean): void {
  const { size, digits } = hasPaths ? LINE_WITH_PATH : LINE;
  if (hasPaths) {
    code.label('failedPath').mov('r8', 'rax').sub('rsp', size).mov('rdi', 'rsp').lea('rsi', 'prefix').call('append');
    code.lea('rsi', 'pathText').call('append').lea('r9', at('r12', RULE.path)).jmp('named');
  }
  code.label('failed').mov('r8', 'rax');
  code.sub('rsp', size).mov('rdi', 'rsp');
  code.lea('rsi', 'prefix').call('append').label('named').mov('rsi', 'r9').call('append');
  emitResult(code, digits);
  code.lea('rsi', 'suffix').call('append');
  code.mov('rdx', 'rdi').sub('rdx', 'rsp').mov('rsi', 'rsp').mov('edi', STDERR).mov('eax', NR_WRITE).syscall();
  code.mov('edi', SEAL_STATUS).mov('eax', NR_EXIT_GROUP).syscall();
  // Only where a filter refuses exit_group: the calling thread, and if that is refused too, a fault.
  code.mov('edi', SEAL_STATUS).mov('eax', NR_EXIT).syscall();
  code.label('dead').hlt().jmp('dead');
  emitAppend(code);
}

/** Appends ` (errno N` or, where the result is no error, ` (result N`; N is below 2^32. */
function emitResult(code: Assembler, digits: number): void {
  code
    .lea('rsi', 'errno')
    .neg('r8')
    .jcc('g', 'numbered')
    .neg('r8')
    .lea('rsi', 'result')
    .label('numbered')
    .call('append');
  // Digits are made from the last to the first, below the text that they are then appended to.
  code.lea('r10', at('rsp', digits)).movByte(at('r10'), 0).mov('eax', 'r8d').mov('ecx', 10);
  code.label('digit').xor('edx', 'edx').div('ecx').add('edx', 0x30).dec('r10').movByte(at('r10'), 'dl');
  code.test('eax', 'eax').jcc('ne', 'digit');
  code.mov('rsi', 'r10').call('append');
}

/** Copies the zero-ended text at rsi to rdi, and leaves rdi behind it. */
function emitAppend(code: Assembler): void {
  code.label('append').movzxByte('eax', at('rsi')).test('eax', 'eax').jcc('e', 'appended');
  code.movByte(at('rdi'), 'al').inc('rsi').inc('rdi').jmp('append').label('appended').ret();
}

function emitTexts(code: Assembler, hasPaths: boolean): void {
  code.label('prefix').text('selkie: cannot confine this program: \0');
  for (const [step, name] of Object.entries(SEAL_STEPS)) code.label(step).text(`${name} failed\0`);
  if (hasPaths) {
    for (const [step, name] of Object.entries(PATH_STEPS)) code.label(step).text(`${name} failed\0`);
    code.label('pathText').text(PATH_TEXT).label('taskFolder').text(TASK_FOLDER);
  }
  code.label('errno').text(' (errno \0').label('result').text(' (result \0').label('suffix').text(')\n\0');
}
