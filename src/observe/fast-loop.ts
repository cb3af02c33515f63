import { receiveLoopAarch64 } from '../elf/stubs/receive-loop-aarch64.ts';
import {
  LOOP_NUMBERS,
  LOOP_POLLED,
  LOOP_RECEIVED,
  LOOP_STATE,
  LOOP_TASK_SIZE,
  LOOP_TASKS,
} from '../elf/stubs/receive-loop-state.ts';
import { receiveLoopX8664 } from '../elf/stubs/receive-loop-x86-64.ts';
import { NOTIF_SIZE, POLLIN } from '../kernel/abi.ts';
import { addressOf, syscallError } from '../kernel/libc.ts';
import { machineCode } from '../kernel/machine-code.ts';
import { NATIVE_ARCH } from '../kernel/native.ts';
import { notifSizes } from '../kernel/seccomp.ts';

const receiveLoopCode = NATIVE_ARCH === 'aarch64' ? receiveLoopAarch64 : receiveLoopX8664;

/** Counts of an executable's known calls of this machine's own ABI, two words a number, the low one first; kept by machine code. 0: not known there. */
export type FastCounts = Uint32Array;

/** Memory for the counts of one executable. */
export function newFastCounts(): FastCounts {
  return new Uint32Array(2 * LOOP_NUMBERS);
}

/** Lets machine code count a number from now on. */
export function makeKnown(counts: FastCounts, nr: number): void {
  if (nr < LOOP_NUMBERS && !isKnown(counts, nr)) counts[2 * nr] = 1;
}

/** How many calls of a number machine code counted. */
export function fastCount(counts: FastCounts, nr: number): number {
  return nr < LOOP_NUMBERS && isKnown(counts, nr) ? wordOf(counts, nr) - 1 : 0;
}

/** Asked several times a second for each: no bigint. */
const wordOf = (counts: FastCounts, nr: number): number => (counts[2 * nr] ?? 0) + 2 ** 32 * (counts[2 * nr + 1] ?? 0);

const isKnown = (counts: FastCounts, nr: number): boolean => wordOf(counts, nr) > 0;

/** Serves calls that are known already, in machine code; all others are its caller's. */
export class FastLoop {
  readonly #call: (memory: Uint8Array) => number;
  readonly #state = new Uint8Array(LOOP_STATE.size);
  readonly #view = new DataView(this.#state.buffer);
  readonly #tasks = new Uint8Array(LOOP_TASKS * LOOP_TASK_SIZE);
  readonly #tasksView = new DataView(this.#tasks.buffer);
  /** The call that `run` received but does not know. */
  readonly notification: DataView = new DataView(this.#state.buffer, LOOP_STATE.notif, NOTIF_SIZE);

  private constructor(fds: readonly [number, number, number]) {
    this.#call = machineCode('selkie-loop', receiveLoopCode());
    fds.forEach((fd, index) => {
      this.#view.setInt32(8 * index, fd, true);
      this.#view.setInt16(8 * index + 4, POLLIN, true);
    });
    this.#view.setUint32(LOOP_STATE.listener, fds[0], true);
    this.#view.setBigUint64(LOOP_STATE.tasks, addressOf(this.#tasks), true);
  }

  /** @returns undefined where executable memory is forbidden, or the kernel's struct is longer than we know */
  static create(listener: number, socket: number, wake: number): FastLoop | undefined {
    if (notifSizes().notif !== NOTIF_SIZE) return undefined;
    try {
      return new FastLoop([listener, socket, wake]);
    } catch {
      return undefined;
    }
  }

  /** Calls of this task are counted in `counts`, as far as they are known there. Both must live as long as this object. */
  know(tid: number, counts: FastCounts): void {
    const offset = (tid % LOOP_TASKS) * LOOP_TASK_SIZE;
    this.#tasksView.setUint32(offset, tid, true);
    this.#tasksView.setBigUint64(offset + 8, addressOf(counts), true);
  }

  /** Who runs what may have changed. */
  forgetTasks(): void {
    this.#tasks.fill(0);
  }

  /** Leaves a descriptor (0: listener, 1, 2) out of the poll set: it is closed. */
  drop(index: number): void {
    this.#view.setInt32(8 * index, -1, true);
  }

  /** Serves until something else is to do. @returns true where `notification` holds a call that is to be answered */
  run(): boolean {
    const result = this.#call(this.#state);
    if (result !== LOOP_POLLED && result !== LOOP_RECEIVED)
      throw syscallError('ioctl', -result, 'serve a notification');
    return result === LOOP_RECEIVED;
  }
}
