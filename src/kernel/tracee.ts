import { NR, PTRACE_DETACH, PTRACE_EVENT_STOP, PTRACE_INTERRUPT, PTRACE_SEIZE, WALL, WNOHANG } from './abi.ts';
import { trySyscall } from './libc.ts';

/**
 * A thread of another process, stopped for a moment by ptrace(2). All requests come from the thread that attached: these calls are
 * synchronous, so that they do. PTRACE_SEIZE leaves signals and job control alone, and when the attaching thread dies the kernel
 * detaches: nobody stays stopped.
 */

const SIGTRAP = 5;
const ESRCH = 3;
const PATIENCE_MS = 1000;
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
  const status = waitForStop(tid);
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

/** @returns its wait status, or why there is none */
function waitForStop(tid: number): number | 'gone' | 'late' {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  const end = performance.now() + PATIENCE_MS;
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
  return waited < 0 || (status & 0xff) !== 0x7f ? 'gone' : status;
}

/** A signal that came first is on its way to it: passed on, else it would be lost. */
function detach(tid: number, status: number): void {
  const signal = (status >> 8) & 0xff;
  const isEvent = status >> 16 === PTRACE_EVENT_STOP || signal === SIGTRAP;
  trySyscall(NR.ptrace, PTRACE_DETACH, tid, 0, isEvent ? 0 : signal);
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
