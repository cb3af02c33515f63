import { constants } from 'node:os';
import {
  NR,
  PTRACE_CONT,
  PTRACE_EVENT_EXEC,
  PTRACE_EVENT_SECCOMP,
  PTRACE_EVENT_STOP,
  PTRACE_GETEVENTMSG,
  PTRACE_GETREGS,
  PTRACE_LISTEN,
  PTRACE_O_EXITKILL,
  PTRACE_O_TRACECLONE,
  PTRACE_O_TRACEEXEC,
  PTRACE_O_TRACEFORK,
  PTRACE_O_TRACESECCOMP,
  PTRACE_O_TRACEVFORK,
  PTRACE_SEIZE,
  PTRACE_SETREGS,
  WALL,
  WNOTHREAD,
} from './abi.ts';
import { syscallError, trySyscall } from './libc.ts';
import { CS, ORIG_RAX, RAX, REGISTERS_SIZE, RIP, signalOf } from './tracee.ts';

/**
 * A process with all its threads and descendants, traced by ptrace(2) for as long as they live, whose filter says SECCOMP_RET_TRACE: one stop a
 * call. All methods must be called by one thread, which becomes the tracer; when that ends, however it does, all of them are killed.
 *
 * Signals are handed on as they come, and a stopped job stays stopped (PTRACE_LISTEN), so that the tree notices nothing.
 */

const OPTIONS =
  PTRACE_O_TRACEFORK |
  PTRACE_O_TRACEVFORK |
  PTRACE_O_TRACECLONE |
  PTRACE_O_TRACEEXEC |
  PTRACE_O_TRACESECCOMP |
  PTRACE_O_EXITKILL;

const ECHILD = 10;
const EINTR = 4;
const { SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU } = constants.signals;
const JOB_CONTROL: ReadonlySet<number> = new Set([SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU]);

/** A thread that waits until `resume`: before a call, or after execve(2). */
export interface TraceStop {
  readonly kind: 'call' | 'exec';
  readonly tid: number;
}

export class TracedTree {
  readonly #status = Buffer.alloc(4);
  readonly #registers = Buffer.alloc(REGISTERS_SIZE);
  readonly #message = Buffer.alloc(8);

  /** Begins to trace a thread that has no descendants yet; it is not stopped. @returns 0 or -errno */
  seize(pid: number): number {
    return trySyscall(NR.ptrace, PTRACE_SEIZE, pid, 0, OPTIONS);
  }

  /**
   * Waits for the next call or execution of any thread of the tree.
   *
   * @returns undefined when the last of them is gone
   * @throws {SyscallError}
   */
  next(): TraceStop | undefined {
    for (;;) {
      // Safe because: `#status` has the four bytes that the kernel writes. Other children of this process are not ours to reap: WNOTHREAD.
      const tid = trySyscall(NR.wait4, -1, this.#status, WALL | WNOTHREAD, null);
      if (tid === -ECHILD) return undefined;
      if (tid === -EINTR) continue;
      if (tid < 0) throw syscallError('wait4', -tid, 'wait for traced processes');
      const status = this.#status.readInt32LE(0);
      if ((status & 0xff) !== 0x7f) continue;
      const event = status >> 16;
      if (event === PTRACE_EVENT_SECCOMP) return { kind: 'call', tid };
      if (event === PTRACE_EVENT_EXEC) return { kind: 'exec', tid };
      this.#passOn(tid, event, status);
    }
  }

  /** The registers of a stopped thread, valid until the next call of this: see tracee.ts. @returns undefined where it has gone */
  registers(tid: number): Buffer | undefined {
    // Safe because: `#registers` is as long as the kernel's struct user_regs_struct.
    return trySyscall(NR.ptrace, PTRACE_GETREGS, tid, 0, this.#registers) < 0 ? undefined : this.#registers;
  }

  /** Sets what `registers` gave and the caller has changed. */
  setRegisters(tid: number): void {
    trySyscall(NR.ptrace, PTRACE_SETREGS, tid, 0, this.#registers);
  }

  /** The 16 bits that the filter gave with SECCOMP_RET_TRACE. */
  filterData(tid: number): number {
    // Safe because: the kernel writes an unsigned long.
    trySyscall(NR.ptrace, PTRACE_GETEVENTMSG, tid, 0, this.#message);
    return this.#message.readUInt16LE(0);
  }

  /** Makes the call not happen; the registers must be those of `registers`. */
  skipCall(tid: number, errno: number): void {
    this.#registers.writeBigInt64LE(-1n, ORIG_RAX);
    this.#registers.writeBigInt64LE(BigInt(-errno), RAX);
    this.setRegisters(tid);
  }

  /** Lets a thread go on. Nothing where it was killed meanwhile. */
  resume(tid: number): void {
    trySyscall(NR.ptrace, PTRACE_CONT, tid, 0, 0);
  }

  /** A signal on its way, a stopped job, a new thread, or the maker of one. */
  #passOn(tid: number, event: number, status: number): void {
    const isStoppedJob = event === PTRACE_EVENT_STOP && JOB_CONTROL.has((status >> 8) & 0xff);
    if (isStoppedJob) trySyscall(NR.ptrace, PTRACE_LISTEN, tid, 0, 0);
    else trySyscall(NR.ptrace, PTRACE_CONT, tid, 0, event === 0 ? signalOf(status) : 0);
  }
}

/** Number of the call at which a thread stopped; 32 bits, unsigned. */
export const numberIn = (registers: Buffer): number => registers.readUInt32LE(ORIG_RAX);

/** USER32_CS of arch/x86/include/asm/segment.h: 32-bit code has one way into the kernel, that of i386. */
const USER32_CS = 0x23;

/** Whether 32-bit code runs there. */
export const isCode32 = (registers: Buffer): boolean => registers.readUInt32LE(CS) === USER32_CS;

/** Address behind the call's instruction. */
export const pointerIn = (registers: Buffer): bigint => registers.readBigUInt64LE(RIP);
