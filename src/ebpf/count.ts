import type { EbpfAssembler } from './assembler.ts';
import type { Btf } from './btf.ts';
import { countGlobal, HELPER, lookUp, NO_EXIST, update } from './helpers.ts';
import { COUNT, HIT, type Maps } from './layout.ts';

/**
 * Counts of calls. The first one of a kind makes its entry in the map; that done, others find a place by their key that they alone add to. Some processors
 * have places of their own, as they would have to wait for each other.
 */

export const KEY = -16;
const VALUE = -72;

/** Spreads executables over the places: numbers of calls lie in 0 to 470. */
const STRIDE = 467;

/** r7 = the place of the key in r8. */
function emitHit(code: EbpfAssembler, { hits }: Maps, copies: number): EbpfAssembler {
  code
    .call(HELPER.get_smp_processor_id)
    .alu('and', 'r0', copies - 1)
    .alu('lsh', 'r0', Math.log2(HIT.room));
  code.mov('r1', 'r8').alu('rsh', 'r1', 32).alu('mul', 'r1', STRIDE).alu('add', 'r1', 'r8');
  code
    .alu('and', 'r1', HIT.room - 1)
    .alu('add', 'r1', 'r0')
    .alu('lsh', 'r1', Math.log2(HIT.size));
  return code.loadValue('r7', hits).alu('add', 'r7', 'r1').load(64, 'r1', 'r7', HIT.key);
}

/** Counts a call of the key in r8 of the task in r9; the struct pt_regs is the tracepoint's first argument. Goes `out`. */
export function emitCount(code: EbpfAssembler, btf: Btf, maps: Maps, copies: number): void {
  emitHit(code, maps, copies).jumpIf('ne', 'r1', 'r8', 'slow');
  code.mov('r1', 1).atomic('add', 'r7', HIT.count, 'r1').jump('out');
  code.label('slow').store(64, 'r10', KEY, 'r8');
  countInMap(code, btf, maps, 'counted');
  // It is in the map: others like it may come here.
  code.label('counted').mov('r0', 0).atomic('compareExchange', 'r7', HIT.key, 'r8');
}

/** Counts the call at KEY in the map alone, and goes on at `next`, or `out` where there is no room. */
export function countInMap(code: EbpfAssembler, btf: Btf, maps: Maps, next: string): void {
  lookUp(code, maps.counts, KEY).jumpIf('eq', 'r0', 0, 'first').label('again');
  code.mov('r1', 1).atomic('add', 'r0', COUNT.count, 'r1').jump(next);
  code.label('first');
  for (let offset = 0; offset < COUNT.size; offset += 8) code.store(64, 'r10', VALUE + offset, 0);
  code.store(64, 'r10', VALUE + COUNT.count, 1).load(64, 'r1', 'r6', 0);
  code.load(64, 'r1', 'r1', btf.offset('pt_regs', 'ip')).store(64, 'r10', VALUE + COUNT.ip, 'r1');
  code.load(32, 'r0', 'r9', btf.offset('task_struct', 'pid')).store(32, 'r10', VALUE + COUNT.tid, 'r0');
  code.mov('r3', 'r10').alu('add', 'r3', VALUE);
  update(code, maps.counts, KEY, NO_EXIST).jumpIf('eq', 'r0', 0, 'news');
  // Another thread was first, or the map is full.
  lookUp(code, maps.counts, KEY).jumpIf('ne', 'r0', 0, 'again');
  countGlobal(code, maps.globals, 'lost').jump('out').label('news');
  countGlobal(code, maps.globals, 'kinds').jump(next);
}

/** Notes an errno, at `slot` on the stack, of a call of the key in r8. Loses r9; goes `out`. */
export function emitErrno(code: EbpfAssembler, maps: Maps, copies: number, slot: number): void {
  emitHit(code, maps, copies).load(64, 'r9', 'r10', slot);
  code.jumpIf('ne', 'r1', 'r8', 'errno').jumpIf('gt', 'r9', 63, 'errno').mov('r1', 1).alu('lsh', 'r1', 'r9');
  code.load(64, 'r2', 'r7', HIT.errnos).jumpIf('set', 'r2', 'r1', 'out');
  code.label('errno').store(64, 'r10', KEY, 'r8');
  lookUp(code, maps.counts, KEY).jumpIf('eq', 'r0', 0, 'out');
  code
    .mov('r1', 'r9')
    .alu('rsh', 'r1', 6)
    .alu('lsh', 'r1', 3)
    .alu('add', 'r0', 'r1')
    .mov('r2', 'r9')
    .alu('and', 'r2', 63);
  code.mov('r1', 1).alu('lsh', 'r1', 'r2').load(64, 'r2', 'r0', COUNT.errnos).jumpIf('set', 'r2', 'r1', 'noted');
  code.atomic('or', 'r0', COUNT.errnos, 'r1').label('noted').jumpIf('gt', 'r9', 63, 'out');
  code.load(64, 'r2', 'r7', HIT.key).jumpIf('ne', 'r2', 'r8', 'out').atomic('or', 'r7', HIT.errnos, 'r1');
}
