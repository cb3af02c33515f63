import type { EbpfAssembler, Register } from './assembler.ts';
import { GLOBALS } from './layout.ts';

/** Calls of the kernel's helpers, as programs make them: arguments in r1 to r5, the result in r0. */

/** include/uapi/linux/bpf.h, ___BPF_FUNC_MAPPER */
export const HELPER = {
  map_lookup_elem: 1,
  map_update_elem: 2,
  map_delete_elem: 3,
  ktime_get_ns: 5,
  get_smp_processor_id: 8,
  get_current_pid_tgid: 14,
  probe_read_kernel: 113,
  probe_read_kernel_str: 115,
  get_current_task_btf: 158,
} as const;

/** BPF_ANY and BPF_NOEXIST of map_update_elem. */
export const ANY = 0;
export const NO_EXIST = 1;

/** r0 = address of the value whose key is at `key` on the stack, or 0. */
export function lookUp(code: EbpfAssembler, map: number, key: number): EbpfAssembler {
  return code.loadMap('r1', map).mov('r2', 'r10').alu('add', 'r2', key).call(HELPER.map_lookup_elem);
}

/** Sets the value whose key is at `key` on the stack; r3 holds the value's address. r0 = 0 or -errno. */
export function update(code: EbpfAssembler, map: number, key: number, flags: number): EbpfAssembler {
  code.loadMap('r1', map).mov('r2', 'r10').alu('add', 'r2', key);
  return code.mov('r4', flags).call(HELPER.map_update_elem);
}

/** Puts the current process's id at `slot` on the stack. */
export function currentProcess(code: EbpfAssembler, slot: number): EbpfAssembler {
  return code.call(HELPER.get_current_pid_tgid).alu('rsh', 'r0', 32).store(32, 'r10', slot, 'r0');
}

/** Copies `size` bytes of the kernel's memory at base + offset to `slot` on the stack: zeros where it cannot be read. */
export function readKernel(code: EbpfAssembler, slot: number, size: number, base: Register, offset: number): void {
  code.mov('r3', base).alu('add', 'r3', offset);
  code.mov('r1', 'r10').alu('add', 'r1', slot).mov('r2', size).call(HELPER.probe_read_kernel);
}

/** Adds one to a member of the globals. */
export function countGlobal(
  code: EbpfAssembler,
  globals: number,
  member: Exclude<keyof typeof GLOBALS, 'size'>,
): EbpfAssembler {
  return code.loadValue('r2', globals, GLOBALS[member]).mov('r1', 1).atomic('add', 'r2', 0, 'r1');
}

/** r9 = the current task: one helper, and what it returns is read directly. */
export function currentTask(code: EbpfAssembler): EbpfAssembler {
  return code.call(HELPER.get_current_task_btf).mov('r9', 'r0');
}
