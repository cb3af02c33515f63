import { GUARD_LISTENER, GUARD_REFUSED, GUARD_SIGNAL, GUARD_STATUS } from '../elf/stubs/guard-x86-64.ts';
import { NOTIF_OFFSET_ARCH, NOTIF_OFFSET_IP, NOTIF_OFFSET_NR, NOTIF_OFFSET_PID } from '../kernel/abi.ts';
import { closeDescriptor } from '../kernel/descriptors.ts';
import { Listener, PollSet } from '../kernel/notify.ts';
import { receiveMessage } from '../kernel/spawn.ts';
import { FastLoop } from './fast-loop.ts';
import type { Observed, ReceiveMessage, ReceiveOptions } from './protocol.ts';
import { Tally } from './tally.ts';

/** The receive loop: blocks in poll only, on the listener, the guard's socket and a wake-up call, so that it can always be stopped. */

const LISTENER = 0;
const SOCKET = 1;
const WAKE = 2;
const ENOSYS = 38;
const PROGRESS_MS = 250;

export class Receiver {
  readonly #options: ReceiveOptions;
  readonly #post: (message: ReceiveMessage) => void;
  readonly #poll: PollSet;
  readonly #tally: Tally;
  #listener: Listener | undefined;
  #isSynchronous = false;
  #isSocketOpen = true;
  #fast: FastLoop | undefined;
  #lastProgress = 0;

  constructor(options: ReceiveOptions, post: (message: ReceiveMessage) => void) {
    this.#options = options;
    this.#post = post;
    this.#poll = new PollSet([-1, options.socket, options.wake]);
    this.#tally = new Tally(options.launcher);
  }

  /** Serves calls until the last user of the filter and the guard are gone, or the wake-up call comes. Blocks its thread. */
  run(): void {
    while (this.#isSocketOpen || this.#listener !== undefined) {
      this.#serveFast();
      this.#poll.wait(-1);
      if (this.#poll.isReadable(LISTENER)) this.#receive();
      else if (this.#poll.isHungUp(LISTENER)) this.#closeListener();
      if (this.#poll.isReadable(SOCKET) || this.#poll.isHungUp(SOCKET)) this.#hearGuard();
      if (this.#poll.isReadable(WAKE)) return;
    }
  }

  /** Blocks until the wake-up call: the target hangs meanwhile, which is better than to fail all its calls. */
  waitForWake(): void {
    const poll = new PollSet([this.#options.wake]);
    while (poll.wait(-1) === 0);
  }

  /** What was seen so far. */
  observed(): Observed {
    const { calls, boundary } = this.#tally;
    return { calls, boundary, results: this.#tally.results(), isSynchronous: this.#isSynchronous };
  }

  /** Gives everything back; whoever still uses the filter gets ENOSYS for all calls. */
  close(): void {
    this.#closeListener();
    if (this.#isSocketOpen) closeDescriptor(this.#options.socket);
    this.#isSocketOpen = false;
  }

  /** Returns when something else than a call waits. */
  #serveFast(): void {
    const fast = this.#fast;
    while (fast?.run()) {
      this.#serve(fast.notification);
      this.#tellProgress();
    }
    this.#tellProgress();
  }

  #receive(): void {
    if (this.#listener?.receive()) this.#serve(this.#listener.notification);
  }

  #serve(call: DataView): void {
    const tid = call.getUint32(NOTIF_OFFSET_PID, true);
    const nr = call.getInt32(NOTIF_OFFSET_NR, true);
    const token = call.getUint32(NOTIF_OFFSET_ARCH, true);
    const ip = () => call.getBigUint64(NOTIF_OFFSET_IP, true);
    if (this.#tally.add(tid, nr, token, ip)) this.#listener?.continue(call);
    else this.#listener?.answer(0n, ENOSYS, call);
  }

  #tellProgress(): void {
    const now = Date.now();
    if (now - this.#lastProgress < PROGRESS_MS) return;
    this.#lastProgress = now;
    this.#post({ kind: 'progress', calls: this.#tally.calls });
  }

  #hearGuard(): void {
    const message = receiveMessage(this.#options.socket);
    if (message === undefined) return;
    if (message.bytes.length === 0) {
      this.#poll.set(SOCKET, -1);
      this.#fast?.drop(SOCKET);
      closeDescriptor(this.#options.socket);
      this.#isSocketOpen = false;
      return;
    }
    const view = new DataView(message.bytes.buffer);
    const [kind = 0, a = 0, b = 0, c = 0] = [0, 4, 8, 12].map((offset) => view.getInt32(offset, true));
    if (kind === GUARD_LISTENER && message.fd !== undefined) this.#begin(message.fd, a);
    else if (kind === GUARD_REFUSED) this.#post({ kind: 'refused', errno: a });
    else if (kind === GUARD_STATUS) this.#post({ kind: 'status', pid: a, status: b, execErrno: c });
    else if (kind === GUARD_SIGNAL) this.#post({ kind: 'signal', signal: a, code: b, sender: c });
  }

  #begin(fd: number, pid: number): void {
    const listener = new Listener(fd);
    this.#listener = listener;
    this.#isSynchronous = listener.wakeUpSynchronously();
    this.#fast = FastLoop.create(fd, this.#options.socket, this.#options.wake);
    this.#tally.fastLoop = this.#fast;
    this.#poll.set(LISTENER, fd);
    this.#post({ kind: 'started', pid });
  }

  #closeListener(): void {
    if (this.#listener === undefined) return;
    this.#fast = undefined;
    this.#poll.set(LISTENER, -1);
    closeDescriptor(this.#listener.fd);
    this.#listener = undefined;
  }
}
