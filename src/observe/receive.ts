import { closeDescriptor } from '../kernel/descriptors.ts';
import { Listener, PollSet } from '../kernel/notify.ts';
import { hearGuard } from './guard-messages.ts';
import type { ReceiveMessage, ReceiveOptions } from './protocol.ts';

/** What answers notified calls. */
export interface CallServer<R> {
  /** The filter is in force; `socket` and `wake` are what the loop waits for besides. */
  begin(listener: Listener, socket: number, wake: number): void;
  /** Answers a call: a struct seccomp_notif. */
  serve(call: DataView): void;
  /** Before the loop waits; may serve calls itself until something else waits. */
  beforeWait(): void;
  /** A descriptor (0: listener, 1: socket, 2: wake) is closed. */
  drop(index: number): void;
  /** No call will come any more. */
  end(): void;
  /** What was seen so far. */
  result(): R;
}

/** The receive loop: blocks in poll only, on the listener, the guard's socket and a wake-up call, so that it can always be stopped. */

const LISTENER = 0;
const SOCKET = 1;
const WAKE = 2;

/** What the guard tells, passed on. */
type Post = (message: ReceiveMessage<never, never>) => void;

export class Receiver {
  readonly #options: ReceiveOptions;
  readonly #server: CallServer<unknown>;
  readonly #post: Post;
  readonly #poll: PollSet;
  #listener: Listener | undefined;
  #isSocketOpen = true;

  constructor(options: ReceiveOptions, server: CallServer<unknown>, post: Post) {
    this.#options = options;
    this.#server = server;
    this.#post = post;
    this.#poll = new PollSet([-1, options.socket, options.wake]);
  }

  /** Serves calls until the last user of the filter and the guard are gone, or the wake-up call comes. Blocks its thread. */
  run(): void {
    while (this.#isSocketOpen || this.#listener !== undefined) {
      if (this.#listener) this.#server.beforeWait();
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

  /** Gives everything back; whoever still uses the filter gets ENOSYS for all calls. */
  close(): void {
    this.#closeListener();
    if (this.#isSocketOpen) closeDescriptor(this.#options.socket);
    this.#isSocketOpen = false;
  }

  #receive(): void {
    if (this.#listener?.receive()) this.#server.serve(this.#listener.notification);
  }

  #hearGuard(): void {
    const heard = hearGuard(this.#options.socket);
    if (heard === undefined) return;
    if (heard.kind === 'listener') this.#begin(heard.fd, heard.pid);
    else if (heard.kind !== 'closed') this.#post(heard);
    else {
      this.#poll.set(SOCKET, -1);
      this.#server.drop(SOCKET);
      closeDescriptor(this.#options.socket);
      this.#isSocketOpen = false;
    }
  }

  #begin(fd: number, pid: number): void {
    const listener = new Listener(fd);
    this.#listener = listener;
    this.#server.begin(listener, this.#options.socket, this.#options.wake);
    this.#poll.set(LISTENER, fd);
    this.#post({ kind: 'started', pid });
  }

  #closeListener(): void {
    if (this.#listener === undefined) return;
    this.#server.end();
    this.#poll.set(LISTENER, -1);
    closeDescriptor(this.#listener.fd);
    this.#listener = undefined;
  }
}
