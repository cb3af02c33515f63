import { checkProgram } from '../bpf/check.ts';
import type { Instruction, Program } from '../bpf/instruction.ts';
import { BPF_ABS, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W } from '../bpf/opcode.ts';
import {
  OFFSET_NR,
  PROBE_ERRNO,
  SECCOMP_RET_ACTION_FULL,
  SECCOMP_RET_ERRNO,
  SECCOMP_RET_KILL_PROCESS,
  SECCOMP_RET_KILL_THREAD,
  SECCOMP_RET_TRACE,
  SECCOMP_RET_TRAP,
  SECCOMP_RET_USER_NOTIF,
} from '../facts/seccomp.ts';

/** The numbers of our own calls by which a kill is carried out: ones that no kernel has, in no ABI. */
export const KILL_NR = 0x5e1c1d;
export const KILL_THREAD_NR = 0x5e1c1c;

/**
 * Actions that Selkie answers in the kernel's place where only denials are notified. kill_thread and trap stay the kernel's: a notified call
 * cannot be handed back, so that the kernel would have to be made to do it by another call behind it, and that call is in text that other
 * threads run too (kill_thread must leave them alone), and in the siginfo that a handler of SIGSYS is told (trap).
 */
const ANSWERED: ReadonlySet<number> = new Set([
  SECCOMP_RET_ERRNO,
  SECCOMP_RET_TRACE,
  SECCOMP_RET_USER_NOTIF,
  SECCOMP_RET_KILL_PROCESS,
]);
const PROBE_ANSWER = (SECCOMP_RET_ERRNO | PROBE_ERRNO) >>> 0;

/**
 * The program that notifies where a policy's program denies, and kills where KILL_NR is called. What is allowed takes the same way as before,
 * and the probe call is answered by the kernel.
 *
 * @throws {ProgramError} `program_too_long`
 */
export function explainingProgram(program: Program): Program {
  return withKills(notifying(program, (action) => ANSWERED.has((action & SECCOMP_RET_ACTION_FULL) >>> 0)));
}

/**
 * The program that notifies every call, for programs that bring filters of their own: what those will deny is not known when it is installed.
 * The probe call alone is answered by the kernel; KILL_NR and KILL_THREAD_NR kill.
 *
 * @param program - one that answers the probe call
 * @throws {ProgramError} `program_too_long`
 */
export function notifyingProgram(program: Program): Program {
  return withKills(notifying(program, () => true));
}

function notifying(program: Program, isAnswered: (action: number) => boolean): Program {
  return program.map((instruction) => {
    const { code, k } = instruction;
    const changes = code === (BPF_RET | BPF_K) && k >>> 0 !== PROBE_ANSWER && isAnswered(k);
    return changes ? { ...instruction, k: SECCOMP_RET_USER_NOTIF } : instruction;
  });
}

function withKills(program: Program): Program {
  const row = (code: number, k: number, jf = 0): Instruction => ({ code, jt: 0, jf, k });
  const result = [
    row(BPF_LD | BPF_W | BPF_ABS, OFFSET_NR),
    row(BPF_JMP | BPF_JEQ | BPF_K, KILL_NR, 1),
    row(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    row(BPF_JMP | BPF_JEQ | BPF_K, KILL_THREAD_NR, 1),
    row(BPF_RET | BPF_K, SECCOMP_RET_KILL_THREAD),
    ...program,
  ];
  checkProgram(result);
  return result;
}

/** The actions of a policy's program that end a thread or process by SIGSYS and that nobody is told of: `kill_thread`, `trap`. */
export function untoldActions(program: Program): readonly string[] {
  const actions = program
    .filter(({ code }) => (code & 0x1f) === (BPF_RET | BPF_K))
    .map(({ k }) => (k & SECCOMP_RET_ACTION_FULL) >>> 0);
  return UNTOLD.filter(([action]) => actions.includes(action)).map(([, name]) => name);
}

const UNTOLD = [
  [SECCOMP_RET_KILL_THREAD, 'kill_thread'],
  [SECCOMP_RET_TRAP, 'trap'],
] as const;
