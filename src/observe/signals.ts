import { constants } from 'node:os';
import { kill, processGroup, processStatus } from '../kernel/process.ts';

/**
 * Signals during a recording. Those of the terminal reach the target natively, as it is in our process group; the guard, which is in it too,
 * tells which came to the whole group. Those sent to Selkie alone are passed on. A target that ignores or blocks such a signal is killed; one
 * that catches it gets its time; a second signal kills it.
 */

const FORWARDED = ['SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGHUP'] as const;
/** The guard's word on a signal that came to the whole group is here by then. */
const HEAR_MS = 40;
/** By then the target has reacted, or never will. */
const PATIENCE_MS = 700;

export class SignalRelay {
  readonly #killAll: () => void;
  #target: number | undefined;
  #isTargetGone = false;
  #received = 0;
  readonly #toGroup = new Map<number, number>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #handlers = new Map<NodeJS.Signals, () => void>();

  /** `killAll` ends the target and all its descendants at once. */
  constructor(killAll: () => void) {
    this.#killAll = killAll;
    for (const name of FORWARDED) this.#handlers.set(name, () => this.#receive(constants.signals[name]));
    this.#handlers.set('SIGCONT', () => this.#continue());
    for (const [name, handler] of this.#handlers) process.on(name, handler);
  }

  started(pid: number): void {
    this.#target = pid;
  }

  targetGone(): void {
    this.#isTargetGone = true;
  }

  /** The guard got a signal, as all of the group did. */
  heardInGroup(signal: number): void {
    this.#toGroup.set(signal, Date.now());
  }

  /** The target stopped itself: so do we, and whoever waits for us sees it. Nothing where it runs again by now. */
  targetStopped(isStopped: () => boolean): void {
    if (isStopped()) kill(process.pid, constants.signals.SIGSTOP);
  }

  close(): void {
    for (const [name, handler] of this.#handlers) process.off(name, handler);
    for (const timer of this.#timers) clearTimeout(timer);
  }

  #continue(): void {
    if (this.#target !== undefined && !this.#isTargetGone) kill(this.#target, constants.signals.SIGCONT);
  }

  #receive(signal: number): void {
    this.#received += 1;
    if (this.#received > 1 || this.#target === undefined || this.#isTargetGone) {
      this.#killAll();
      return;
    }
    const target = this.#target;
    this.#later(HEAR_MS, () => this.#pass(signal, target));
    this.#later(PATIENCE_MS, () => this.#judge(signal, target));
  }

  #pass(signal: number, target: number): void {
    const isNative = this.#toGroup.has(signal) && processGroup(target) === processGroup(0);
    if (!isNative && !this.#isTargetGone) kill(target, signal);
  }

  #judge(signal: number, target: number): void {
    const bit = 1n << BigInt(signal - 1);
    const status = this.#isTargetGone ? undefined : processStatus(target);
    const isCaught = status !== undefined && (status.caught & bit) !== 0n && (status.blocked & bit) === 0n;
    if (!isCaught) this.#killAll();
  }

  #later(ms: number, action: () => void): void {
    const timer = setTimeout(action, ms);
    this.#timers.add(timer);
  }
}
