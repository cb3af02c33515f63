import { EbpfAssembler } from './assembler.ts';
import type { Btf } from './btf.ts';
import { currentProcess, HELPER, lookUp, NO_EXIST, update } from './helpers.ts';
import { COMPAT, IN_PROGRAM, PROCESS } from './layout.ts';

/**
 * The program that tells calls apart by their arguments (`record --args`): a second one on sys_enter, which counts what the first one counts, in a map of its
 * own. Calls whose arguments do not matter cost it two look-ups.
 */

/** Descriptors of the maps. */
export interface ArgumentMaps {
  /** As Maps has it. */
  readonly processes: number;
  /** SELECTOR_KEY → the bits of each of the six arguments that matter, u64[6]. */
  readonly selectors: number;
  /** TUPLE_KEY → TUPLE. */
  readonly tuples: number;
}

/** u32 number; u32 COMPAT or 0. */
export const SELECTOR_KEY = { size: 8, nr: 0, compat: 4 } as const;
export const SELECTOR = { size: 48 } as const;
/** As COUNT_KEY; then, at `args`, the bits that matter of the arguments, u64[6]. */
export const TUPLE_KEY = { size: 64, image: 0, nr: 4, bits: 8, args: 16 } as const;
/** u64 count; u64 address behind the first call's instruction; u32 thread that made it. */
export const TUPLE = { size: 24, count: 0, ip: 8, tid: 16 } as const;
/** Entries that the maps have room for. Calls of kinds that find none are counted by the first program alone. */
export const ARGUMENT_ROOM = { selectors: 1024, tuples: 16_384 } as const;

/** struct pt_regs: where arguments are (asm/syscall.h, syscall_get_arguments). */
const REGISTERS = ['di', 'si', 'dx', 'r10', 'r8', 'r9'] as const;
const COMPAT_REGISTERS = ['bx', 'cx', 'dx', 'si', 'di', 'bp'] as const;

const PID = -4;
const SELECT = -16;
const KEY = -80;
const VALUE = -104;

/** sys_enter(struct pt_regs *regs, long id) */
export function argumentProgram(btf: Btf, maps: ArgumentMaps): Uint8Array {
  const code = new EbpfAssembler().mov('r6', 'r1');
  currentProcess(code, PID);
  lookUp(code, maps.processes, PID).jumpIf('eq', 'r0', 0, 'out');
  emitHead(code, btf);
  lookUp(code, maps.selectors, SELECT).jumpIf('eq', 'r0', 0, 'out').mov('r9', 'r0');
  code.load(64, 'r6', 'r6', 0).jumpIf('ne', 'r8', 0, 'compat');
  emitArguments(code, btf, REGISTERS);
  code.jump('count').label('compat');
  emitArguments(code, btf, COMPAT_REGISTERS);
  code.label('count');
  lookUp(code, maps.tuples, KEY).jumpIf('eq', 'r0', 0, 'first').label('again');
  code.mov('r1', 1).atomic('add', 'r0', TUPLE.count, 'r1').jump('out');
  code.label('first').store(64, 'r10', VALUE + TUPLE.count, 1);
  code.load(64, 'r1', 'r6', btf.offset('pt_regs', 'ip')).store(64, 'r10', VALUE + TUPLE.ip, 'r1');
  code
    .store(64, 'r10', VALUE + TUPLE.tid, 0)
    .call(HELPER.get_current_pid_tgid)
    .store(32, 'r10', VALUE + TUPLE.tid, 'r0');
  code.mov('r3', 'r10').alu('add', 'r3', VALUE);
  update(code, maps.tuples, KEY, NO_EXIST).jumpIf('eq', 'r0', 0, 'out');
  // Another thread was first, or the map is full.
  lookUp(code, maps.tuples, KEY).jumpIf('ne', 'r0', 0, 'again');
  return code.label('out').mov('r0', 0).exit().assemble();
}

/** Both keys but for the arguments, with the process in r0; r8 becomes COMPAT or 0. Processes without an image go `out`. */
function emitHead(code: EbpfAssembler, btf: Btf): void {
  code.load(32, 'r1', 'r0', PROCESS.image).jumpIf('eq', 'r1', 0, 'out');
  code.load(32, 'r7', 'r0', PROCESS.flags).alu('and', 'r7', IN_PROGRAM);
  code.load(64, 'r2', 'r6', 8).store(32, 'r10', SELECT + SELECTOR_KEY.nr, 'r2');
  code.store(32, 'r10', KEY + TUPLE_KEY.image, 'r1').store(32, 'r10', KEY + TUPLE_KEY.nr, 'r2');
  code.call(HELPER.get_current_task_btf).load(32, 'r8', 'r0', btf.offset('task_struct', 'thread_info', 'status'));
  code
    .alu('and', 'r8', COMPAT)
    .store(32, 'r10', SELECT + SELECTOR_KEY.compat, 'r8')
    .alu('or', 'r7', 'r8');
  code.store(64, 'r10', KEY + TUPLE_KEY.bits, 0).store(32, 'r10', KEY + TUPLE_KEY.bits, 'r7');
}

/** r6 holds the registers, r9 the bits that matter. */
function emitArguments(code: EbpfAssembler, btf: Btf, registers: readonly string[]): void {
  registers.forEach((register, index) => {
    code.load(64, 'r1', 'r6', btf.offset('pt_regs', register)).load(64, 'r2', 'r9', 8 * index);
    code.alu('and', 'r1', 'r2').store(64, 'r10', KEY + TUPLE_KEY.args + 8 * index, 'r1');
  });
}
