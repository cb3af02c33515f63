import { OFFSET_ARCH, OFFSET_NR, SECCOMP_RET_ALLOW } from '../facts/seccomp.ts';
import type { Program } from './instruction.ts';
import * as op from './opcode.ts';

/**
 * The kernel's bitmap of calls that a filter always allows: from 5.11 on it follows the program once for each number when the filter is
 * installed, and a call that surely ends in allow never runs the program again.
 *
 * What this model leaves out: numbers that pass before any filter (uretprobe and uprobe of x86-64, seccomp_uprobe_exception), and older filters
 * of the same task, all of which must allow the number too.
 */

const LOAD = op.BPF_LD | op.BPF_W | op.BPF_ABS;
const RETURN = op.BPF_RET | op.BPF_K;
const AND = op.BPF_ALU | op.BPF_AND | op.BPF_K;
const ALWAYS = op.BPF_JMP | op.BPF_JA;

const COMPARISONS: ReadonlyMap<number, (a: number, k: number) => boolean> = new Map([
  [op.BPF_JMP | op.BPF_JEQ | op.BPF_K, (a: number, k: number) => a === k],
  [op.BPF_JMP | op.BPF_JGE | op.BPF_K, (a: number, k: number) => a >= k],
  [op.BPF_JMP | op.BPF_JGT | op.BPF_K, (a: number, k: number) => a > k],
  [op.BPF_JMP | op.BPF_JSET | op.BPF_K, (a: number, k: number) => (a & k) !== 0],
]);

/**
 * Whether the kernel sees that a program allows a number whatever the arguments are. It follows loads of nr and arch, `ja`, jumps by JEQ, JGE, JGT
 * and JSET on constants, AND with a constant, and `ret` of a constant, which must be SECCOMP_RET_ALLOW with data 0. Any other
 * instruction on the way, a load of anything else too, means no.
 *
 * @param program - one that `checkProgram` accepts
 * @param arch - AUDIT_ARCH_* token
 * @param nr - unsigned 32 bits
 * @see kernel/seccomp.c seccomp_is_const_allow (v5.11 to v6.18)
 */
export function isConstantAllow(program: Program, arch: number, nr: number): boolean {
  let a = 0;
  for (let pc = 0; pc < program.length; pc += 1) {
    const { code, jt, jf, k } = program[pc] as Program[number];
    if (code === RETURN) return k >>> 0 === SECCOMP_RET_ALLOW;
    const holds = COMPARISONS.get(code);
    if (holds) pc += holds(a, k >>> 0) ? jt : jf;
    else if (code === ALWAYS) pc += k;
    else if (code === AND) a = (a & k) >>> 0;
    else if (code === LOAD && k === OFFSET_NR) a = nr;
    else if (code === LOAD && k === OFFSET_ARCH) a = arch;
    else return false;
  }
  return false;
}

/**
 * The bitmap of one arch. The kernel has one for its native arch and one for its compat arch (on x86-64: AUDIT_ARCH_X86_64 and
 * AUDIT_ARCH_I386), each as long as the arch's table of calls when it was built. Numbers beyond that always run the program, those of x32 too.
 *
 * @param arch - AUDIT_ARCH_* token
 * @param count - length of the table, NR_syscalls or IA32_NR_syscalls
 * @returns `count` bytes, 1 for each number that is always allowed
 * @see kernel/seccomp.c seccomp_cache_prepare_bitmap, seccomp_cache_check_allow; arch/x86/include/asm/seccomp.h
 */
export function constantAllowed(program: Program, arch: number, count: number): Uint8Array {
  return Uint8Array.from({ length: count }, (_, nr) => (isConstantAllow(program, arch, nr) ? 1 : 0));
}
