import type { EbpfAssembler } from './assembler.ts';
import type { Btf } from './btf.ts';
import { ANY, countGlobal, HELPER, lookUp, update } from './helpers.ts';
import type { Maps } from './layout.ts';

/**
 * Calls that a filter denied: seccomp comes before the tracepoint at a call's entry, not before that at its end (include/linux/entry-common.h,
 * v6.18), so that they end without having begun. Threads that have a filter are marked while they are in a call; others cost one look at their
 * task. A thread is judged once it has come out of a call with a filter: calls that began before, and what a new thread comes out of, were never
 * marked.
 */

const TID = -80;
const STATE = -84;
const IN_CALL = 1;

/** SYSCALL_WORK_SECCOMP of include/linux/thread_info.h: beside what each call reads, as `seccomp.mode` is not. */
const HAS_FILTER = 1;

/** Goes on at `plain` where the task in r9 has no filter; else its id is at TID. */
function skipUnfiltered(code: EbpfAssembler, btf: Btf, plain: string): void {
  code.load(64, 'r1', 'r9', btf.offset('task_struct', 'thread_info', 'syscall_work'));
  code.alu('and', 'r1', HAS_FILTER).jumpIf('eq', 'r1', 0, plain);
  code.load(32, 'r1', 'r9', btf.offset('task_struct', 'pid')).store(32, 'r10', TID, 'r1');
}

/** Sets the mark of the thread at TID. */
function setState(code: EbpfAssembler, maps: Maps, state: number, next: string): void {
  code.store(32, 'r10', STATE, state).mov('r3', 'r10').alu('add', 'r3', STATE);
  update(code, maps.threads, TID, ANY).jumpIf('eq', 'r0', 0, next);
  countGlobal(code, maps.globals, 'lost').jump(next);
}

/** At the entry of a call of the task in r9. */
export function markEntry(code: EbpfAssembler, btf: Btf, maps: Maps): void {
  skipUnfiltered(code, btf, 'marked');
  setState(code, maps, IN_CALL, 'marked');
  code.label('marked');
}

/**
 * At the end of a call of the task in r9, whose struct pt_regs and result are the tracepoint's arguments. What a denied call returns is an error, or its number where
 * it is trapped or kills (syscall_rollback); all else without an entry was served by a supervisor. Goes on at `made`.
 *
 * @param observed - r8 = the key of the call; goes `out` where the process is not observed
 * @param count - counts a denied call of the key in r8
 */
export function emitDenied(code: EbpfAssembler, btf: Btf, maps: Maps, observed: () => void, count: () => void): void {
  skipUnfiltered(code, btf, 'made');
  observed();
  lookUp(code, maps.threads, TID).jumpIf('ne', 'r0', 0, 'known');
  setState(code, maps, 0, 'made');
  code.label('known').load(32, 'r1', 'r0', 0).store(32, 'r0', 0, 0).jumpIf('eq', 'r1', IN_CALL, 'made');
  code.load(64, 'r1', 'r6', 8).jumpIf('sle', 'r1', -1, 'denied');
  code.load(64, 'r2', 'r6', 0).load(32, 'r2', 'r2', btf.offset('pt_regs', 'orig_ax')).jumpIf('ne', 'r1', 'r2', 'made');
  code.label('denied');
  count();
}

/** At the end of the current thread. */
export function forgetThread(code: EbpfAssembler, maps: Maps): void {
  code.call(HELPER.get_current_pid_tgid).store(32, 'r10', TID, 'r0');
  code.loadMap('r1', maps.threads).mov('r2', 'r10').alu('add', 'r2', TID).call(HELPER.map_delete_elem);
}
