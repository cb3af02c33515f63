import { EbpfAssembler } from './assembler.ts';
import type { Btf } from './btf.ts';
import { emitCaller } from './caller.ts';
import { currentTask, HELPER, lookUp, NO_EXIST, update } from './helpers.ts';
import { COMPAT } from './layout.ts';

/**
 * The program that tells calls apart by their arguments (`record --args`): a second one on sys_enter, which counts what the first one counts, in a map of its
 * own. Calls whose arguments do not matter cost it two look-ups.
 */

/** Descriptors of the maps. */
export interface ArgumentMaps {
  /** As Maps has them. */
  readonly processes: number;
  readonly callers: number;
  /** SELECTOR_KEY → the bits of each of the six arguments that matter, u64[6]. */
  readonly selectors: number;
  /** TUPLE_KEY → TUPLE. */
  readonly tuples: number;
}

/** u32 number; u32 COMPAT or 0. */
export const SELECTOR_KEY = { size: 8, nr: 0, compat: 4 } as const;
export const SELECTOR = { size: 48 } as const;
/** As CALL_KEY; then, at `args`, the bits that matter of the arguments, u64[6]. */
export const TUPLE_KEY = { size: 56, nr: 0, args: 8 } as const;
/** u64 count; u64 address behind the first call's instruction; u32 thread that made it. */
export const TUPLE = { size: 24, count: 0, ip: 8, tid: 16 } as const;
/** Entries that the maps have room for. Calls of kinds that find none are counted by the first program alone. */
export const ARGUMENT_ROOM = { selectors: 1024, tuples: 16_384 } as const;

/** struct pt_regs: where arguments are (asm/syscall.h, syscall_get_arguments). */
const REGISTERS = ['di', 'si', 'dx', 'r10', 'r8', 'r9'] as const;
const COMPAT_REGISTERS = ['bx', 'cx', 'dx', 'si', 'di', 'bp'] as const;

const SELECT = -16;
const KEY = -80;
const VALUE = -104;

/** sys_enter(struct pt_regs *regs, long id) */
export function argumentProgram(btf: Btf, maps: ArgumentMaps): Uint8Array {
  const code = currentTask(new EbpfAssembler().mov('r6', 'r1'));
  emitCaller(code, btf, maps);
  emitKeys(code);
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

/** Both keys but for the arguments, of what is in r8, which becomes COMPAT or 0. */
function emitKeys(code: EbpfAssembler): void {
  code
    .store(64, 'r10', KEY, 'r8')
    .load(64, 'r1', 'r6', 8)
    .store(32, 'r10', KEY + TUPLE_KEY.nr, 'r1');
  code
    .store(32, 'r10', SELECT + SELECTOR_KEY.nr, 'r1')
    .alu('rsh', 'r8', 32)
    .alu('and', 'r8', COMPAT);
  code.store(32, 'r10', SELECT + SELECTOR_KEY.compat, 'r8');
}

/** r6 holds the registers, r9 the bits that matter. */
function emitArguments(code: EbpfAssembler, btf: Btf, registers: readonly string[]): void {
  registers.forEach((register, index) => {
    code.load(64, 'r1', 'r6', btf.offset('pt_regs', register)).load(64, 'r2', 'r9', 8 * index);
    code.alu('and', 'r1', 'r2').store(64, 'r10', KEY + TUPLE_KEY.args + 8 * index, 'r1');
  });
}
