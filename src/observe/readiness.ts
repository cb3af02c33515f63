import type { Observed } from './protocol.ts';
import { type ReadyOptions, ReadyWatch, type WaitingCall } from './ready.ts';
import type { Tally } from './tally.ts';

/** Begins the service in a tally when the command is ready: the same for notified and for traced calls. */
export class Readiness {
  readonly #tally: Tally;
  /** Undefined: nobody asked. */
  #isReady: boolean | undefined;

  constructor(tally: Tally, ready: ReadyOptions | undefined) {
    this.#tally = tally;
    this.#isReady = ready && false;
    tally.watch = ready && new ReadyWatch(ready);
  }

  /** To be told of each call before it is counted. @returns whether it is the last one before the service: `begin` is due once it is counted */
  see(call: WaitingCall): boolean {
    const seen = this.#tally.watch?.see(call) ?? 'no';
    if (seen === 'now') this.begin();
    return seen === 'after';
  }

  begin(): void {
    this.#isReady = true;
    this.#tally.beginService();
  }

  result(): Pick<Observed, 'isReady'> {
    return this.#isReady === undefined ? {} : { isReady: this.#isReady };
  }
}
