import { ARCH_NAMES, ARCHES, type ArchName, isLittleEndian, X32_SYSCALL_BIT } from '../facts/arches.ts';
import { errnoName } from '../facts/errnos.ts';
import * as seccomp from '../facts/seccomp.ts';
import { syscallName } from '../facts/syscalls.ts';
import type { Instruction, Program } from './instruction.ts';
import * as op from './opcode.ts';

export interface DisassembleOptions {
  /** ABI whose names are used where the program has not asked for the arch itself. */
  readonly arch?: ArchName;
}

/** What A holds on the way to an instruction, as far as every way agrees. */
interface Known {
  readonly load: 'arch' | 'nr' | 'other';
  readonly token: number | undefined;
}

/**
 * A listing, one line an instruction: pc, a `>` where something jumps to it, what it does in the kernel's terms, with the names
 * of arches, syscalls and errnos behind it.
 */
export function disassemble(program: Program, options: DisassembleOptions = {}): string {
  const fallback = options.arch ?? 'x86_64';
  const known = follow(program);
  const targets = new Set(program.flatMap((instruction, pc) => jumpsOf(instruction).map((jump) => pc + 1 + jump)));
  const width = String(program.length - 1).length;
  const lines = program.map((instruction, pc) => {
    const mark = targets.has(pc) ? '>' : ' ';
    return `${String(pc).padStart(width)}${mark} ${line(instruction, pc, known[pc], fallback)}`;
  });
  return lines.join('\n');
}

/** A return value in the policy's words, such as `errno(EPERM)`. */
export function printReturn(value: number, arch: ArchName): string {
  const data = value & seccomp.SECCOMP_RET_DATA;
  const behind = data === 0 ? '' : `, data ${data}`;
  switch ((value & seccomp.SECCOMP_RET_ACTION_FULL) >>> 0) {
    case seccomp.SECCOMP_RET_ALLOW:
      return `allow${behind}`;
    case seccomp.SECCOMP_RET_LOG:
      return `log${behind}`;
    case seccomp.SECCOMP_RET_USER_NOTIF:
      return `notify${behind}`;
    case seccomp.SECCOMP_RET_KILL_PROCESS:
      return `kill_process${behind}`;
    case seccomp.SECCOMP_RET_KILL_THREAD:
      return `kill_thread${behind}`;
    case seccomp.SECCOMP_RET_TRACE:
      return `trace(${data})`;
    case seccomp.SECCOMP_RET_TRAP:
      return `trap(${data})`;
    case seccomp.SECCOMP_RET_ERRNO:
      return data === 0 ? 'return_zero' : `errno(${errnoName(arch, data) ?? data})`;
    default:
      return `unknown action 0x${value.toString(16)} (kills the process)`;
  }
}

function line(instruction: Instruction, pc: number, known: Known | undefined, fallback: ArchName): string {
  const { code, k } = instruction;
  switch (code & op.CLASS_MASK) {
    case op.BPF_LD:
      return `ld   A = ${loaded(code, k, isLowFirst(known, fallback))}`;
    case op.BPF_LDX:
      return `ldx  X = ${loaded(code, k, isLowFirst(known, fallback))}`;
    case op.BPF_ST:
      return `st   M[${k}] = A`;
    case op.BPF_STX:
      return `stx  M[${k}] = X`;
    case op.BPF_ALU:
      return `alu  ${alu(code, k)}`;
    case op.BPF_JMP:
      return jump(instruction, pc, known, fallback);
    case op.BPF_RET:
      return (code & 0x18) === op.BPF_A ? 'ret  A' : `ret  ${printReturn(k, archOf(known, k, fallback))}`;
    default:
      return (code & 0xf8) === op.BPF_TXA ? 'txa  A = X' : 'tax  X = A';
  }
}

function hex(value: number): string {
  return `0x${(value >>> 0).toString(16)}`;
}

/** Without a known architecture it is the fallback's order. */
function isLowFirst(known: Known | undefined, fallback: ArchName): boolean {
  return isLittleEndian(known?.token ?? ARCHES[fallback].token);
}

function loaded(code: number, k: number, isLowFirst: boolean): string {
  switch (code & 0xe0) {
    case op.BPF_ABS:
      return wordName(k, isLowFirst);
    case op.BPF_MEM:
      return `M[${k}]`;
    case op.BPF_LEN:
      return 'length';
    default:
      return hex(k);
  }
}

/** The word at a byte offset of struct seccomp_data. */
function wordName(offset: number, isLowFirst: boolean): string {
  if (offset === seccomp.OFFSET_NR) return 'nr';
  if (offset === seccomp.OFFSET_ARCH) return 'arch';
  const half = (offset % 8 === 0) === isLowFirst ? 'low' : 'high';
  if (offset < seccomp.OFFSET_ARGS) return `ip.${half}`;
  return `args[${(offset - seccomp.OFFSET_ARGS) >> 3}].${half}`;
}

const ALU_SIGNS: Readonly<Record<number, string>> = {
  [op.BPF_ADD]: '+',
  [op.BPF_SUB]: '-',
  [op.BPF_MUL]: '*',
  [op.BPF_DIV]: '/',
  [op.BPF_OR]: '|',
  [op.BPF_AND]: '&',
  [op.BPF_LSH]: '<<',
  [op.BPF_RSH]: '>>',
  [op.BPF_MOD]: '%',
  [op.BPF_XOR]: '^',
};

function alu(code: number, k: number): string {
  const operation = code & op.OPERATION_MASK;
  if (operation === op.BPF_NEG) return 'A = -A';
  return `A = A ${ALU_SIGNS[operation] ?? '?'} ${(code & op.SOURCE_MASK) === op.BPF_X ? 'X' : hex(k)}`;
}

const JUMP_SIGNS: Readonly<Record<number, string>> = {
  [op.BPF_JEQ]: '==',
  [op.BPF_JGT]: '>',
  [op.BPF_JGE]: '>=',
  [op.BPF_JSET]: '&',
};

function jump({ code, jt, jf, k }: Instruction, pc: number, known: Known | undefined, fallback: ArchName): string {
  if ((code & op.OPERATION_MASK) === op.BPF_JA) return `ja   ${pc + 1 + k}`;
  const byX = (code & op.SOURCE_MASK) === op.BPF_X;
  const sign = JUMP_SIGNS[code & op.OPERATION_MASK] ?? '?';
  const operand = byX ? 'X' : constantName(k, known, fallback);
  return `if   A ${sign} ${operand} then ${pc + 1 + jt} else ${pc + 1 + jf}`;
}

function constantName(k: number, known: Known | undefined, fallback: ArchName): string {
  if (known?.load === 'arch')
    return ARCH_NAMES.map((name) => ARCHES[name]).find(({ token }) => token === k)?.tokenName ?? hex(k);
  if (known?.load !== 'nr') return hex(k);
  const name = syscallName(archOf(known, k, fallback), k);
  return name === undefined ? hex(k) : `${k} (${name})`;
}

/** The ABI on a path: by the token that was compared, and for x86-64's by the x32 bit of the number. */
function archOf(known: Known | undefined, nr: number, fallback: ArchName): ArchName {
  const token = known?.token;
  if (token === undefined) return fallback;
  if (token === ARCHES.x32.token && known?.load === 'nr' && nr >= X32_SYSCALL_BIT) return 'x32';
  return ARCH_NAMES.find((name) => ARCHES[name].token === token) ?? fallback;
}

function jumpsOf({ code, jt, jf, k }: Instruction): readonly number[] {
  if ((code & op.CLASS_MASK) !== op.BPF_JMP) return [];
  return (code & op.OPERATION_MASK) === op.BPF_JA ? [k] : [jt, jf];
}

/** One forward pass: what A holds and which token was found equal on every way to each instruction. */
function follow(program: Program): readonly (Known | undefined)[] {
  const known: (Known | undefined)[] = new Array(program.length).fill(undefined);
  known[0] = { load: 'other', token: undefined };
  const arrive = (pc: number, now: Known): void => {
    const before = known[pc];
    if (pc >= program.length) return;
    known[pc] = before
      ? {
          load: before.load === now.load ? now.load : 'other',
          token: before.token === now.token ? now.token : undefined,
        }
      : now;
  };
  program.forEach((instruction, pc) => {
    const now = known[pc];
    if (!now || (instruction.code & op.CLASS_MASK) === op.BPF_RET) return;
    const after = { load: loadAfter(instruction, now.load), token: now.token };
    const jumps = jumpsOf(instruction);
    if (jumps.length === 0) arrive(pc + 1, after);
    jumps.forEach((jumped, way) => {
      const equal = way === 0 && now.load === 'arch' && instruction.code === (op.BPF_JMP | op.BPF_JEQ | op.BPF_K);
      arrive(pc + 1 + jumped, equal ? { ...after, token: instruction.k } : after);
    });
  });
  return known;
}

function loadAfter({ code, k }: Instruction, before: Known['load']): Known['load'] {
  if (code === (op.BPF_LD | op.BPF_W | op.BPF_ABS)) {
    return k === seccomp.OFFSET_NR ? 'nr' : k === seccomp.OFFSET_ARCH ? 'arch' : 'other';
  }
  const changesA = [op.BPF_LD, op.BPF_ALU].includes(code & op.CLASS_MASK) || code === (op.BPF_MISC | op.BPF_TXA);
  return changesA ? 'other' : before;
}
