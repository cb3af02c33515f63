/** The code that a sealed AArch64 program enters first; seal.ts says what it does and why. */
import { PROBE_ARGUMENT, PROBE_ERRNO, PROBE_OPERATION } from '../../facts/seccomp.ts';
import { AssemblerA64, at64 } from '../asm-aarch64.ts';
import { RULE } from '../paths-table.ts';
import { AT_FDCWD } from './answerer-state.ts';
import { PATH_TEXT, TASK_FOLDER } from './landlock.ts';
import { restrictPaths } from './landlock-aarch64.ts';
import {
  LINE,
  LINE_WITH_PATH,
  PATH_STEPS,
  SEAL_STATUS,
  SEAL_STEPS,
  type SealPaths,
  type SealStep,
  type SealStubPlan,
} from './seal.ts';
import { callAarch64 } from './static-aarch64.ts';

// include/uapi/asm-generic/unistd.h.
const NR = { write: 64, exit: 93, exit_group: 94, prctl: 167, seccomp: 277 } as const;
const PR_SET_NO_NEW_PRIVS = 38;
const PR_GET_NO_NEW_PRIVS = 39;
const SECCOMP_SET_MODE_FILTER = 1;
const SECCOMP_FILTER_FLAG_TSYNC = 1;
const STDERR = 2;

/** Registers that the stub uses (x12, x13: for paths alone); ld.so and the kernel promise nothing of them, they leave as zeros. */
const USED_FOR_PATHS = ['x12', 'x13'] as const;
const USED = ['x1', 'x2', 'x3', 'x4', 'x5', 'x6', 'x7', 'x8', 'x9', 'x10', 'x11', 'x16', 'x17'] as const;

/**
 * The stub's code. Its length does not depend on the plan. x0 holds ld.so's exit function (0 in static programs) and must reach the program, as
 * must sp. The entry may be a landing place for jumps through x16 only (BTI).
 */
export function sealStubAarch64(plan: SealStubPlan): Uint8Array {
  const code = new AssemblerA64().bti('jc').sub('sp', 'sp', 32).str('x0', at64('sp'));
  emitPrivileges(code);
  if (plan.paths) emitPaths(code, plan.paths);
  emitFilter(code, plan);
  emitProbe(code);
  emitLeave(code, plan.paths !== undefined);
  emitFailure(code, plan.paths !== undefined);
  emitTexts(code, plan);
  return code.assemble();
}

function call(code: AssemblerA64, name: keyof typeof NR): AssemblerA64 {
  return code.mov('x8', NR[name]).svc();
}

/** x9 survives system calls: it points to the name of the step that is being tried. */
function beginStep(code: AssemblerA64, step: SealStep | keyof typeof PATH_STEPS): AssemblerA64 {
  return code.adr('x9', step);
}

function emitPrivileges(code: AssemblerA64): void {
  const prctl = (option: number, value: number): AssemblerA64 =>
    call(code.mov('x0', option).mov('x1', value).mov('x2', 0).mov('x3', 0).mov('x4', 0), 'prctl');
  beginStep(code, 'privileges');
  prctl(PR_SET_NO_NEW_PRIVS, 1).cbnz('x0', 'failed');
  beginStep(code, 'privilegesProof');
  prctl(PR_GET_NO_NEW_PRIVS, 0).cmp('x0', 1).bif('ne', 'failed');
}

/** The last look is at threads, so that none can begin between it and the restriction. */
function emitPaths(code: AssemblerA64, { hasLoader }: SealPaths): void {
  code.ldrLabel('x10', 'pathsDistance').adr('x1', '').add('x10', 'x10', 'x1');
  restrictPaths(code, { step: (step) => beginStep(code, step), failed: 'failed', failedPath: 'failedPath' });
  if (hasLoader) requireAlone(code);
}

/** seal.ts says how: st_nlink is 32 bits here. */
function requireAlone(code: AssemblerA64): void {
  const [SIZE, LINKS] = [128, 20];
  beginStep(code, 'alone').sub('sp', 'sp', SIZE).str('wzr', at64('sp', LINKS)).mov('x0', AT_FDCWD);
  callAarch64(code.adr('x1', 'taskFolder').mov('x2', 'sp').mov('x3', 0), 'newfstatat').cbnz('x0', 'failed');
  code.ldr('w0', at64('sp', LINKS)).sub('x0', 'x0', 2).cmp('x0', 1).bif('ne', 'failed').add('sp', 'sp', SIZE);
}

/** seccomp(SET_MODE_FILTER, TSYNC, &fprog), fprog on the stack: u16 count, padding, pointer. */
function emitFilter(code: AssemblerA64, plan: SealStubPlan): void {
  beginStep(code, 'filter').mov('x1', plan.count).str('x1', at64('sp', 16));
  // A mov of one instruction each for every count: the length stays the same.
  code.ldrLabel('x2', 'programDistance').adr('x1', '').add('x1', 'x1', 'x2').str('x1', at64('sp', 24));
  code.mov('x0', SECCOMP_SET_MODE_FILTER).mov('x1', SECCOMP_FILTER_FLAG_TSYNC).add('x2', 'sp', 16);
  call(code, 'seccomp').cbnz('x0', 'failed');
}

/** Only our own program answers this call with this errno. */
function emitProbe(code: AssemblerA64): void {
  beginStep(code, 'filterProof').mov('x0', PROBE_OPERATION).mov('x1', PROBE_ARGUMENT).mov('x2', 0);
  call(code, 'seccomp').cmp('x0', -PROBE_ERRNO).bif('ne', 'failed');
}

function emitLeave(code: AssemblerA64, hasPaths: boolean): void {
  code.ldr('x0', at64('sp')).add('sp', 'sp', 32);
  for (const register of [...USED.slice(0, -2), ...(hasPaths ? USED_FOR_PATHS : [])]) code.mov(register, 0);
  code.adr('x16', '').ldrLabel('x17', 'entryDistance').add('x16', 'x16', 'x17').mov('x17', 0).br('x16');
}

/** Writes one line (one write, so that lines of several processes do not mix) and ends the process. */
function emitFailure(code: AssemblerA64, hasPaths: boolean): void {
  const { size, digits } = hasPaths ? LINE_WITH_PATH : LINE;
  const begin = (label: string): AssemblerA64 =>
    code.label(label).mov('x6', 'x0').sub('sp', 'sp', size).mov('x1', 'sp').adr('x2', 'prefix').bl('append');
  if (hasPaths) begin('failedPath').adr('x2', 'pathText').bl('append').add('x9', 'x10', RULE.path).b('named');
  begin('failed').label('named').mov('x2', 'x9').bl('append');
  code.adr('x2', 'result').tbnz('x6', 63, 'isErrno').b('numbered');
  code.label('isErrno').neg('x6', 'x6').adr('x2', 'errno').label('numbered').bl('append');
  // Digits are made from the last to the first, below the text that they are then appended to.
  code.add('x2', 'sp', digits).strb('wzr', at64('x2')).mov('x3', 10).label('digit').udiv('x4', 'x6', 'x3');
  code.msub('x5', 'x4', 'x3', 'x6').add('w5', 'w5', 0x30).strbPre('w5', 'x2', -1).mov('x6', 'x4').cbnz('x6', 'digit');
  code.bl('append').adr('x2', 'suffix').bl('append');
  code.mov('x3', 'sp').sub('x2', 'x1', 'x3').mov('x1', 'sp').mov('x0', STDERR);
  call(code, 'write').mov('x0', SEAL_STATUS);
  call(code, 'exit_group').mov('x0', SEAL_STATUS);
  // Only where a filter refuses exit_group: the calling thread, and if that is refused too, a fault.
  call(code, 'exit').label('dead').udf().b('dead');
  // Copies the zero-ended text at x2 to x1, and leaves x1 behind it.
  code.label('append').ldrbPost('w3', 'x2', 1).cbz('w3', 'appended').strbPost('w3', 'x1', 1).b('append');
  code.label('appended').ret();
}

function emitTexts(code: AssemblerA64, plan: SealStubPlan): void {
  const { paths } = plan;
  code.align(8).label('programDistance').u64(BigInt(plan.program)).label('entryDistance').u64(BigInt(plan.entry));
  if (paths) {
    code.label('pathsDistance').u64(BigInt(paths.table));
    for (const [step, name] of Object.entries(PATH_STEPS)) code.label(step).text(`${name} failed\0`);
    code.label('pathText').text(PATH_TEXT).label('taskFolder').text(TASK_FOLDER);
  }
  code.label('prefix').text('selkie: cannot confine this program: \0');
  for (const [step, name] of Object.entries(SEAL_STEPS)) code.label(step).text(`${name} failed\0`);
  code.label('errno').text(' (errno \0').label('result').text(' (result \0').label('suffix').text(')\n\0');
}
