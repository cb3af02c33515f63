import {
  NR,
  PTRACE_CONT,
  PTRACE_DETACH,
  PTRACE_EVENT_EXEC,
  PTRACE_GETREGS,
  PTRACE_INTERRUPT,
  PTRACE_O_TRACEEXEC,
  PTRACE_SEIZE,
  PTRACE_SETREGS,
  PTRACE_SETSIGINFO,
  WALL,
  WNOHANG,
} from './abi.ts';
import { trySyscall } from './libc.ts';

/**
 * A thread of another process, stopped for a moment by ptrace(2). All requests come from the thread that attached: these calls are
 * synchronous, so that they do. PTRACE_SEIZE leaves signals and job control alone, and when the attaching thread dies the kernel
 * detaches: nobody stays stopped.
 */

const ESRCH = 3;
const PATIENCE_MS = 1000;
/** A thread whose wait was ended stops as soon as it is scheduled. */
const RELEASED_MS = 30_000;
const LATER_MS = 20;

/** `gone`: it ended before it stopped. `late`: it does not stop, as it sleeps where no signal reaches it. Else -errno of PTRACE_SEIZE. */
export type Refusal = 'gone' | 'late' | number;

/**
 * Stops a thread, does something, lets it run on.
 *
 * @param action - synchronous; the thread is stopped meanwhile
 */
export function withStopped<T>(tid: number, action: () => T): { readonly value: T } | { readonly refused: Refusal } {
  const seized = trySyscall(NR.ptrace, PTRACE_SEIZE, tid, 0, 0);
  if (seized < 0) return { refused: seized === -ESRCH ? 'gone' : seized };
  trySyscall(NR.ptrace, PTRACE_INTERRUPT, tid, 0, 0);
  const status = waitForStop(tid, PATIENCE_MS);
  if (status === 'gone') return { refused: 'gone' };
  if (status === 'late') {
    detachLater(tid);
    return { refused: 'late' };
  }
  try {
    return { value: action() };
  } finally {
    detach(tid, status);
  }
}

/** struct user_regs_struct of x86-64 (arch/x86/include/asm/user_64.h): 27 words; the offsets of some of them in bytes. */
export const REGISTERS_SIZE = 216;
const RBP = 32;
export const RBX = 40;
const R10 = 56;
const R9 = 64;
const R8 = 72;
export const RAX = 80;
const RCX = 88;
const RDX = 96;
const RSI = 104;
export const RDI = 112;
export const ORIG_RAX = 120;
export const RIP = 128;
export const CS = 136;
/** Where each ABI has the arguments of a call: arch/x86/include/asm/syscall.h syscall_get_arguments. */
export const ARGUMENTS: { readonly [K in 'x86_64' | 'i386']: readonly number[] } = {
  x86_64: [RDI, RSI, RDX, R10, R8, R9],
  i386: [RBX, RCX, RDX, RSI, RDI, RBP],
};
/** Of syscall (0f 05) and int $0x80 (cd 80). */
const INSTRUCTION_SIZE = 2n;

/**
 * Makes a thread that waits in a notified call do another call in its place, without arguments of its own. Nobody else notices: registers
 * belong to the thread alone.
 *
 * @param release - answers the notification; what it answers is lost
 * @returns false where we may not trace it; then `release` was not called
 */
export function replaceCall(tid: number, nr: number, release: () => void): boolean {
  if (trySyscall(NR.ptrace, PTRACE_SEIZE, tid, 0, 0) < 0) return false;
  trySyscall(NR.ptrace, PTRACE_INTERRUPT, tid, 0, 0);
  release();
  const status = waitForStop(tid, RELEASED_MS);
  if (typeof status === 'string') return true;
  setRegisters(tid, BigInt(nr), INSTRUCTION_SIZE);
  detach(tid, status);
  return true;
}

/**
 * Sets the result of the call that a stopped thread comes back from, and where it goes on.
 *
 * @param back - how many bytes before that
 */
function setRegisters(tid: number, result: bigint, back: bigint): void {
  const registers = Buffer.alloc(REGISTERS_SIZE);
  // Safe because: `registers` is as long as the kernel's struct and referenced until both calls are over.
  if (trySyscall(NR.ptrace, PTRACE_GETREGS, tid, 0, registers) < 0) return;
  registers.writeBigUInt64LE(registers.readBigUInt64LE(RIP) - back, RIP);
  registers.writeBigUInt64LE(result, RAX);
  // Before 5.19 what stops it interrupts the call, which is not to be restarted.
  registers.writeBigInt64LE(-1n, ORIG_RAX);
  trySyscall(NR.ptrace, PTRACE_SETREGS, tid, 0, registers);
}

/**
 * Gives a thread that waits in a notified call a signal with a siginfo_t that kill(2) and its kin cannot make.
 *
 * @param siginfo - 128 bytes, the signal's number first
 * @param result - of the call, as the signal's handler sees it
 * @param release - answers the notification; what it answers is lost
 * @returns false where we may not trace it; then `release` was not called
 */
export function deliverSignal(
  { tgid, pid: tid }: { readonly tgid: number; readonly pid: number },
  siginfo: Uint8Array,
  result: bigint,
  release: () => void,
): boolean {
  if (trySyscall(NR.ptrace, PTRACE_SEIZE, tid, 0, 0) < 0) return false;
  const [signal = 0] = siginfo;
  trySyscall(NR.tgkill, tgid, tid, signal);
  release();
  for (;;) {
    const status = waitForStop(tid, RELEASED_MS);
    if (typeof status === 'string') return true;
    if (status >> 8 === signal) {
      // Safe because: the kernel reads 128 bytes of `siginfo`, which is referenced until the call is over.
      trySyscall(NR.ptrace, PTRACE_SETSIGINFO, tid, 0, siginfo);
      setRegisters(tid, result, 0n);
      detach(tid, status);
      return true;
    }
    trySyscall(NR.ptrace, PTRACE_CONT, tid, 0, signalOf(status));
  }
}

/** @returns its wait status, or why there is none */
function waitForStop(tid: number, patienceMs: number): number | 'gone' | 'late' {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  const end = performance.now() + patienceMs;
  for (let tries = 0; tries < 50 || performance.now() < end; tries += 1) {
    const status = stopStatus(tid);
    if (status !== undefined) return status;
    // It stops within microseconds, or when it wakes.
    if (tries > 20) Atomics.wait(pause, 0, 0, 0.2);
  }
  return 'late';
}

/** wait4(2) without waiting. @returns undefined while it runs */
function stopStatus(tid: number): number | 'gone' | undefined {
  const bytes = Buffer.alloc(4);
  const waited = trySyscall(NR.wait4, tid, bytes, WNOHANG | WALL, null);
  if (waited === 0) return undefined;
  const status = bytes.readInt32LE(0);
  return waited < 0 || !isStop(status) ? 'gone' : status;
}

/**
 * Makes a child of ours stop when it has executed a program, before that begins: wait4(2) tells of it (isExecStop), and of signals on the way, if there are; `detach`
 * lets it go on. A program with the rights of its file has them only where we have CAP_SYS_PTRACE.
 *
 * @returns whether we may trace it
 */
export function stopAtExec(pid: number): boolean {
  return trySyscall(NR.ptrace, PTRACE_SEIZE, pid, 0, PTRACE_O_TRACEEXEC) >= 0;
}

/** Whether a wait status is that of a stop, and not of an end. */
export const isStop = (status: number): boolean => (status & 0xff) === 0x7f;

/** Of a stop: whether it is the one that `stopAtExec` asked for. */
export const isExecStop = (status: number): boolean => status >> 16 === PTRACE_EVENT_EXEC;

/** Lets a stopped thread go. A signal that came first is on its way to it: passed on, else it would be lost. */
export function detach(tid: number, status: number): void {
  trySyscall(NR.ptrace, PTRACE_DETACH, tid, 0, signalOf(status));
}

/** The signal with which it stopped; 0 for a stop that we asked for, or of its job. */
export function signalOf(status: number): number {
  return status >> 16 === 0 ? (status >> 8) & 0xff : 0;
}

/** Only a stopped thread can be detached from: as soon as it stops, or when we end. */
function detachLater(tid: number): void {
  const timer = setInterval(() => {
    const status = stopStatus(tid);
    if (status === undefined) return;
    clearInterval(timer);
    if (status !== 'gone') detach(tid, status);
  }, LATER_MS);
  timer.unref();
}
