import type { EbpfAssembler } from './assembler.ts';
import type { Btf } from './btf.ts';
import { ANY, countGlobal, HELPER, lookUp, update } from './helpers.ts';
import { CALLER, COMPAT, IMAGE_SHIFT, IN_PROGRAM, type Maps, PROCESS } from './layout.ts';

/**
 * Who makes a call. The map of processes is a hash, which costs more than all else that a call does; so what was found there is kept at a place that the process's
 * id says, until the map changes. A place is filled only if it is as it was before the map was asked, and who changes the map then changes the place to what
 * it never was: nothing old can stay there.
 */

/** Where ids of processes are on the stack of all programs. */
export const PID = -4;
/** No id of a process has this bit (PID_MAX_LIMIT, include/linux/threads.h). */
const NOBODY = 1 << 30;

/** `to` = address of the place of the process whose id is in r1; loses r2. */
function emitPlace(code: EbpfAssembler, { callers }: Pick<Maps, 'callers'>, to: 'r3' | 'r7'): EbpfAssembler {
  code.mov('r2', 'r1').alu('and', 'r2', CALLER.room - 1);
  return code.alu('lsh', 'r2', 3).loadValue(to, callers).alu('add', to, 'r2');
}

/**
 * r8 = the key of a call of the task in r9 but for the number, which is 0: see CALL_KEY. Processes that are not observed, or have no image, go `out`. Loses r7.
 *
 * @param name - makes labels of their own
 */
export function emitCaller(
  code: EbpfAssembler,
  btf: Btf,
  maps: Pick<Maps, 'callers' | 'processes'>,
  name = 'caller',
): void {
  code.load(32, 'r1', 'r9', btf.offset('task_struct', 'tgid'));
  emitPlace(code, maps, 'r7').load(64, 'r8', 'r7', 0).mov('r2', 'r8').alu('sub', 'r2', 'r1');
  code.mov('r3', 'r2').alu('lsh', 'r3', 32).jumpIf('eq', 'r3', 0, name);
  code.store(32, 'r10', PID, 'r1');
  lookUp(code, maps.processes, PID).jumpIf('eq', 'r0', 0, 'out');
  code.load(32, 'r2', 'r0', PROCESS.image).jumpIf('eq', 'r2', 0, 'out').load(32, 'r1', 'r0', PROCESS.flags);
  code.alu('and', 'r1', IN_PROGRAM).alu('lsh', 'r2', IMAGE_SHIFT).alu('or', 'r2', 'r1').alu('lsh', 'r2', 32);
  code.load(32, 'r1', 'r10', PID).alu('or', 'r1', 'r2').mov('r0', 'r8').atomic('compareExchange', 'r7', 0, 'r1');
  code
    .label(name)
    .mov('r8', 'r2')
    .load(32, 'r1', 'r9', btf.offset('task_struct', 'thread_info', 'status'));
  code.alu('and', 'r1', COMPAT).alu('lsh', 'r1', 32).alu('or', 'r8', 'r1');
}

/** After a change of the process at PID in the map. Keeps r6 to r9. */
function forgetCaller(code: EbpfAssembler, maps: Maps): void {
  code.call(HELPER.ktime_get_ns).alu('lsh', 'r0', 32).alu('or', 'r0', NOBODY).load(32, 'r1', 'r10', PID);
  emitPlace(code, maps, 'r3').store(64, 'r3', 0, 'r0');
}

/** Sets the process at PID to the PROCESS at `value` on the stack. Keeps r6 to r9. */
export function setProcess(code: EbpfAssembler, maps: Maps, value: number): void {
  code.mov('r3', 'r10').alu('add', 'r3', value);
  update(code, maps.processes, PID, ANY).jumpIf('eq', 'r0', 0, 'set');
  countGlobal(code, maps.globals, 'lost').label('set');
  forgetCaller(code, maps);
}

/** Observes the process at PID no longer. Keeps r6 to r9. */
export function dropProcess(code: EbpfAssembler, maps: Maps): void {
  code.loadMap('r1', maps.processes).mov('r2', 'r10').alu('add', 'r2', PID).call(HELPER.map_delete_elem);
  forgetCaller(code, maps);
}

/** The program of the process at PID has begun, as its PROCESS at r0 shall say. */
export function beginProgram(code: EbpfAssembler, maps: Maps): void {
  code.load(32, 'r1', 'r0', PROCESS.flags).alu('or', 'r1', IN_PROGRAM).store(32, 'r0', PROCESS.flags, 'r1');
  forgetCaller(code, maps);
}
