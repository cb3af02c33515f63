import type { Progress } from './protocol.ts';
import type { Tally } from './tally.ts';

/** Tells how far a recording is; see Progress. */

const PROGRESS_MS = 250;

export class ProgressTeller {
  readonly #tally: Tally;
  readonly #tell: (progress: Progress) => void;
  #last = 0;
  #calls = 0;

  constructor(tally: Tally, tell: (progress: Progress) => void) {
    this.#tally = tally;
    this.#tell = tell;
  }

  /** To be called now and then. */
  tellIfDue(): void {
    const now = Date.now();
    const isDue = now - this.#last >= PROGRESS_MS;
    // A new kind is told at once: no other call may come for long. To count all calls costs more than that.
    if (!isDue && !this.#tally.hasFresh) return;
    if (isDue) {
      this.#last = now;
      this.#calls = this.#tally.calls;
    }
    this.#tell({ calls: this.#calls, fresh: this.#tally.takeFresh() });
  }
}
