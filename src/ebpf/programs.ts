import { EbpfAssembler } from './assembler.ts';
import type { Btf } from './btf.ts';
import { type CgroupScope, cgroupProgram } from './cgroup.ts';
import { emitDenied, forgetThread, markEntry } from './denied.ts';
import { ANY, countGlobal, currentProcess, HELPER, lookUp, NO_EXIST, update } from './helpers.ts';
import { emitImage } from './image.ts';
import { COMPAT, COUNT, COUNT_KEY, FOLLOW, IN_PROGRAM, type Maps, PROCESS } from './layout.ts';

/**
 * The programs that observe system calls. Those of tracepoints have BTF types (BPF_TRACE_RAW_TP): pointers of their arguments are read
 * directly. Which executable a process runs is noted when it is forked and executed, so that a call costs two look-ups.
 */

/** Where programs are attached: tracepoints by name, and the entry of the command's program. */
export type TracepointName =
  | 'sys_enter'
  | 'sys_exit'
  | 'sched_process_fork'
  | 'sched_process_exec'
  | 'sched_process_exit'
  | 'cgroup_attach_task';

const PID = -4;
const KEY = -16;
const VALUE = -72;
const SLOT = -76;

/** Argument `index` of a tracepoint; r6 holds the context. */
const argument = (code: EbpfAssembler, register: 'r1' | 'r6' | 'r7' | 'r8', index: number): EbpfAssembler =>
  code.load(64, register, 'r6', 8 * index);

/** Builds the program of every tracepoint. `scope`: the processes of a cgroup are observed, and not those that others start. */
export function tracingPrograms(btf: Btf, maps: Maps, scope?: CgroupScope): ReadonlyMap<TracepointName, Uint8Array> {
  const fork = scope ? cgroupProgram(btf, maps, scope, 1) : forkProgram(btf, maps);
  // cgroup_attach_task(struct cgroup *dst_cgrp, const char *path, struct task_struct *task, bool threadgroup): it has moved.
  const attach = scope && cgroupProgram(btf, maps, scope, 2);
  return new Map<TracepointName, Uint8Array>([
    ...(attach ? ([['cgroup_attach_task', attach]] as const) : []),
    ['sched_process_fork', fork],
    ['sched_process_exec', execProgram(btf, maps)],
    ['sched_process_exit', exitProgram(btf, maps)],
    ['sys_exit', sysExitProgram(btf, maps)],
    ['sys_enter', sysEnterProgram(btf, maps)],
  ]);
}

/** r9 = the current task: one helper, and what it returns is read directly. */
const currentTask = (code: EbpfAssembler): EbpfAssembler => code.call(HELPER.get_current_task_btf).mov('r9', 'r0');

/** r0 = the process of the task in r9 in the map; `out` where that is not observed. */
function emitProcess(code: EbpfAssembler, btf: Btf, maps: Maps): void {
  code.load(32, 'r1', 'r9', btf.offset('task_struct', 'tgid'));
  code.store(32, 'r10', PID, 'r1');
  lookUp(code, maps.processes, PID).jumpIf('eq', 'r0', 0, 'out');
}

/** The key of the call at KEY, after emitProcess; the number is in r7. Processes without an image go `out`. */
function emitKey(code: EbpfAssembler, btf: Btf): void {
  code.load(32, 'r1', 'r0', PROCESS.image).jumpIf('eq', 'r1', 0, 'out');
  code.load(32, 'r8', 'r0', PROCESS.flags).alu('and', 'r8', IN_PROGRAM);
  code.store(32, 'r10', KEY + COUNT_KEY.image, 'r1').store(32, 'r10', KEY + COUNT_KEY.nr, 'r7');
  code.load(32, 'r0', 'r9', btf.offset('task_struct', 'thread_info', 'status'));
  code
    .alu('and', 'r0', COMPAT)
    .alu('or', 'r0', 'r8')
    .store(32, 'r10', KEY + COUNT_KEY.bits, 'r0');
}

/** sys_enter(struct pt_regs *regs, long id) */
function sysEnterProgram(btf: Btf, maps: Maps): Uint8Array {
  const code = currentTask(new EbpfAssembler().mov('r6', 'r1'));
  emitProcess(code, btf, maps);
  markEntry(code, btf, maps);
  argument(code, 'r7', 1);
  emitKey(code, btf);
  emitCount(code, btf, maps, 'out');
  return code.label('out').mov('r0', 0).exit().assemble();
}

/** Counts the call at KEY, of the task in r9, and goes on at `next`. The first argument of the tracepoint is its struct pt_regs. */
function emitCount(code: EbpfAssembler, btf: Btf, maps: Maps, next: string): void {
  lookUp(code, maps.counts, KEY).jumpIf('eq', 'r0', 0, 'first').label('again');
  code.mov('r1', 1).atomic('add', 'r0', COUNT.count, 'r1').jump(next);
  code.label('first');
  for (let offset = 0; offset < COUNT.size; offset += 8) code.store(64, 'r10', VALUE + offset, 0);
  code.store(64, 'r10', VALUE + COUNT.count, 1);
  argument(code, 'r1', 0)
    .load(64, 'r1', 'r1', btf.offset('pt_regs', 'ip'))
    .store(64, 'r10', VALUE + COUNT.ip, 'r1');
  code.load(32, 'r0', 'r9', btf.offset('task_struct', 'pid')).store(32, 'r10', VALUE + COUNT.tid, 'r0');
  code.mov('r3', 'r10').alu('add', 'r3', VALUE);
  update(code, maps.counts, KEY, NO_EXIST).jumpIf('eq', 'r0', 0, 'news');
  // Another thread was first, or the map is full.
  lookUp(code, maps.counts, KEY).jumpIf('ne', 'r0', 0, 'again');
  countGlobal(code, maps.globals, 'lost', SLOT, next);
  code.jump(next).label('news');
  countGlobal(code, maps.globals, 'kinds', SLOT, next);
}

/** sys_exit(struct pt_regs *regs, long ret): notes errors; what the kernel keeps to itself (ERESTARTSYS and above) is none. */
function sysExitProgram(btf: Btf, maps: Maps): Uint8Array {
  const code = currentTask(new EbpfAssembler().mov('r6', 'r1'));
  const ERRNO = -96;
  argument(code, 'r8', 1);
  const observed = (): void => emitProcess(code, btf, maps);
  emitDenied(code, btf, maps, observed, () => {
    observed();
    emitKey(code, btf);
    emitCount(code, btf, maps, 'counted');
    lookUp(code.label('counted'), maps.counts, KEY).jumpIf('eq', 'r0', 0, 'out');
    code.mov('r1', 1).atomic('add', 'r0', COUNT.denied, 'r1');
    argument(code, 'r8', 1);
  });
  code.label('made').mov('r7', 0).alu('sub', 'r7', 'r8').jumpIf('sle', 'r7', 0, 'out');
  code.jumpIf('gt', 'r7', COUNT.largestErrno, 'out').store(64, 'r10', ERRNO, 'r7');
  observed();
  argument(code, 'r1', 0).load(32, 'r7', 'r1', btf.offset('pt_regs', 'orig_ax'));
  emitKey(code, btf);
  lookUp(code, maps.counts, KEY).jumpIf('eq', 'r0', 0, 'out');
  code
    .load(64, 'r9', 'r10', ERRNO)
    .mov('r1', 'r9')
    .alu('rsh', 'r1', 6)
    .alu('lsh', 'r1', 3)
    .alu('add', 'r0', 'r1')
    .load(64, 'r2', 'r0', COUNT.errnos);
  code.mov('r1', 1).alu('and', 'r9', 63).alu('lsh', 'r1', 'r9').jumpIf('set', 'r2', 'r1', 'out');
  code.atomic('or', 'r0', COUNT.errnos, 'r1');
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
  code.alu('or', 'r1', IN_PROGRAM).store(32, 'r10', KEY + PROCESS.flags, 'r1');
  code
    .load(32, 'r1', 'r0', PROCESS.image)
    .store(32, 'r10', KEY + PROCESS.image, 'r1')
    .store(32, 'r10', PID, 'r8');
  code.mov('r3', 'r10').alu('add', 'r3', KEY);
  update(code, maps.processes, PID, ANY).jumpIf('eq', 'r0', 0, 'out');
  countGlobal(code, maps.globals, 'lost', SLOT, 'out');
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
  code.label('image').jumpIf('eq', 'r7', 0, 'out');
  code.store(32, 'r10', KEY + PROCESS.image, 'r7').load(32, 'r1', 'r10', FLAGS);
  code
    .store(32, 'r10', KEY + PROCESS.flags, 'r1')
    .mov('r3', 'r10')
    .alu('add', 'r3', KEY);
  update(code, maps.processes, PID, ANY).jumpIf('eq', 'r0', 0, 'out');
  countGlobal(code, maps.globals, 'lost', SLOT, 'out');
  return code.label('out').mov('r0', 0).exit().assemble();
}

/** sched_process_exit(struct task_struct *task): the last thread of a process ends it. */
function exitProgram(btf: Btf, maps: Maps): Uint8Array {
  const code = new EbpfAssembler().mov('r6', 'r1');
  forgetThread(code, maps);
  argument(code, 'r7', 0).load(64, 'r1', 'r7', btf.offset('task_struct', 'signal'));
  code.load(32, 'r1', 'r1', btf.offset('signal_struct', 'live', 'counter')).jumpIf('ne', 'r1', 0, 'out');
  currentProcess(code, PID).loadMap('r1', maps.processes).mov('r2', 'r10').alu('add', 'r2', PID);
  return code.call(HELPER.map_delete_elem).label('out').mov('r0', 0).exit().assemble();
}

/** For a uprobe at the entry of the command's program: start-up is over. */
export function entryProgram(maps: Maps): Uint8Array {
  const code = currentProcess(new EbpfAssembler(), PID);
  lookUp(code, maps.processes, PID).jumpIf('eq', 'r0', 0, 'out');
  code.load(32, 'r1', 'r0', PROCESS.flags).alu('or', 'r1', IN_PROGRAM).store(32, 'r0', PROCESS.flags, 'r1');
  countGlobal(code, maps.globals, 'entered', SLOT, 'out');
  return code.label('out').mov('r0', 0).exit().assemble();
}
