import { EbpfAssembler } from './assembler.ts';
import type { Btf } from './btf.ts';
import { beginProgram, dropProcess, emitCaller, PID, setProcess } from './caller.ts';
import { type CgroupScope, cgroupProgram } from './cgroup.ts';
import { countInMap, emitCount, emitErrno, KEY } from './count.ts';
import { emitDenied, forgetThread, markEntry } from './denied.ts';
import { countGlobal, currentProcess, currentTask, lookUp } from './helpers.ts';
import { emitImage } from './image.ts';
import { COUNT, FOLLOW, IN_PROGRAM, type Maps, PROCESS } from './layout.ts';

/**
 * The programs that observe system calls. Those of tracepoints have BTF types (BPF_TRACE_RAW_TP): pointers of their arguments are read
 * directly. Which executable a process runs is noted when it is forked and executed, so that a call costs two looks at arrays.
 */

/** Where programs are attached: tracepoints by name, and the entry of the command's program. */
export type TracepointName =
  | 'sys_enter'
  | 'sys_exit'
  | 'sched_process_fork'
  | 'sched_process_exec'
  | 'sched_process_exit'
  | 'cgroup_attach_task';

/** Where a PROCESS is put together. */
const PROCESS_AT = -16;
/** What a call returned, as a positive number. */
const ERRNO = -96;

/** Argument `index` of a tracepoint; r6 holds the context. */
const argument = (code: EbpfAssembler, register: 'r1' | 'r6' | 'r7' | 'r8', index: number): EbpfAssembler =>
  code.load(64, register, 'r6', 8 * index);

/**
 * Builds the program of every tracepoint.
 *
 * @param copies - of the places for counts: a power of two
 * @param scope - the processes of a cgroup are observed, and not those that others start
 */
export function tracingPrograms(
  btf: Btf,
  maps: Maps,
  copies: number,
  scope?: CgroupScope,
): ReadonlyMap<TracepointName, Uint8Array> {
  const fork = scope ? cgroupProgram(btf, maps, scope, 1) : forkProgram(btf, maps);
  // cgroup_attach_task(struct cgroup *dst_cgrp, const char *path, struct task_struct *task, bool threadgroup): it has moved.
  const attach = scope && cgroupProgram(btf, maps, scope, 2);
  return new Map<TracepointName, Uint8Array>([
    ...(attach ? ([['cgroup_attach_task', attach]] as const) : []),
    ['sched_process_fork', fork],
    ['sched_process_exec', execProgram(btf, maps)],
    ['sched_process_exit', exitProgram(btf, maps)],
    ['sys_exit', sysExitProgram(btf, maps, copies)],
    ['sys_enter', sysEnterProgram(btf, maps, copies)],
  ]);
}

/** sys_enter(struct pt_regs *regs, long id) */
function sysEnterProgram(btf: Btf, maps: Maps, copies: number): Uint8Array {
  const code = currentTask(new EbpfAssembler().mov('r6', 'r1'));
  emitCaller(code, btf, maps);
  markEntry(code, btf, maps);
  argument(code, 'r1', 1).alu('lsh', 'r1', 32).alu('rsh', 'r1', 32).alu('or', 'r8', 'r1');
  emitCount(code, btf, maps, copies);
  return code.label('out').mov('r0', 0).exit().assemble();
}

/** sys_exit(struct pt_regs *regs, long ret): notes errors; what the kernel keeps to itself (ERESTARTSYS and above) is none. */
function sysExitProgram(btf: Btf, maps: Maps, copies: number): Uint8Array {
  const code = currentTask(new EbpfAssembler().mov('r6', 'r1'));
  const observed = (name: string): void => {
    emitCaller(code, btf, maps, name);
    argument(code, 'r1', 0).load(32, 'r1', 'r1', btf.offset('pt_regs', 'orig_ax')).alu('or', 'r8', 'r1');
  };
  emitDenied(
    code,
    btf,
    maps,
    () => observed('filtered'),
    () => {
      countInMap(code.store(64, 'r10', KEY, 'r8'), btf, maps, 'counted');
      lookUp(code.label('counted'), maps.counts, KEY).jumpIf('eq', 'r0', 0, 'out');
      code.mov('r1', 1).atomic('add', 'r0', COUNT.denied, 'r1');
    },
  );
  argument(code.label('made').mov('r7', 0), 'r8', 1).alu('sub', 'r7', 'r8').jumpIf('sle', 'r7', 0, 'out');
  code.jumpIf('gt', 'r7', COUNT.largestErrno, 'out').store(64, 'r10', ERRNO, 'r7');
  observed('failed');
  emitErrno(code, maps, copies, ERRNO);
  return code.label('out').mov('r0', 0).exit().assemble();
}

/** sched_process_fork(struct task_struct *parent, struct task_struct *child): comes before the child runs. */
function forkProgram(btf: Btf, maps: Maps): Uint8Array {
  const code = new EbpfAssembler().mov('r6', 'r1');
  argument(code, 'r7', 1).load(32, 'r8', 'r7', btf.offset('task_struct', 'tgid'));
  // A thread: its process is known.
  code.load(32, 'r1', 'r7', btf.offset('task_struct', 'pid')).jumpIf('ne', 'r1', 'r8', 'out');
  currentProcess(code, PID);
  lookUp(code, maps.processes, PID).jumpIf('eq', 'r0', 0, 'out');
  code.load(32, 'r1', 'r0', PROCESS.flags).mov('r2', 'r1').alu('and', 'r2', FOLLOW).jumpIf('eq', 'r2', 0, 'out');
  code.alu('or', 'r1', IN_PROGRAM).store(32, 'r10', PROCESS_AT + PROCESS.flags, 'r1');
  code
    .load(32, 'r1', 'r0', PROCESS.image)
    .store(32, 'r10', PROCESS_AT + PROCESS.image, 'r1')
    .store(32, 'r10', PID, 'r8');
  setProcess(code, maps, PROCESS_AT);
  return code.label('out').mov('r0', 0).exit().assemble();
}

/** sched_process_exec(struct task_struct *task, pid_t old_pid, struct linux_binprm *bprm): the new program has not run yet. */
function execProgram(btf: Btf, maps: Maps): Uint8Array {
  const FLAGS = -24;
  const code = new EbpfAssembler().mov('r6', 'r1');
  currentProcess(code, PID);
  lookUp(code, maps.processes, PID).jumpIf('eq', 'r0', 0, 'out');
  code.load(32, 'r1', 'r0', PROCESS.flags).load(32, 'r2', 'r0', PROCESS.image);
  // Only the first program of the command has a start-up of its own.
  code.jumpIf('eq', 'r2', 0, 'flags').alu('or', 'r1', IN_PROGRAM).label('flags').store(32, 'r10', FLAGS, 'r1');
  argument(code, 'r8', 2).load(64, 'r6', 'r8', btf.offset('linux_binprm', 'file'));
  emitImage(code, btf, maps, 'image');
  code
    .label('image')
    .jumpIf('eq', 'r7', 0, 'out')
    .store(32, 'r10', PROCESS_AT + PROCESS.image, 'r7');
  code.load(32, 'r1', 'r10', FLAGS).store(32, 'r10', PROCESS_AT + PROCESS.flags, 'r1');
  setProcess(code, maps, PROCESS_AT);
  return code.label('out').mov('r0', 0).exit().assemble();
}

/** sched_process_exit(struct task_struct *task): the last thread of a process ends it. */
function exitProgram(btf: Btf, maps: Maps): Uint8Array {
  const code = new EbpfAssembler().mov('r6', 'r1');
  forgetThread(code, maps);
  argument(code, 'r7', 0).load(64, 'r1', 'r7', btf.offset('task_struct', 'signal'));
  code.load(32, 'r1', 'r1', btf.offset('signal_struct', 'live', 'counter')).jumpIf('ne', 'r1', 0, 'out');
  dropProcess(currentProcess(code, PID), maps);
  return code.label('out').mov('r0', 0).exit().assemble();
}

/** For a breakpoint at the entry of the command's program: start-up is over. */
export function entryProgram(maps: Maps): Uint8Array {
  const code = currentProcess(new EbpfAssembler(), PID);
  lookUp(code, maps.processes, PID).jumpIf('eq', 'r0', 0, 'out');
  beginProgram(code, maps);
  countGlobal(code, maps.globals, 'entered');
  return code.label('out').mov('r0', 0).exit().assemble();
}
