import type { Progress } from '../observe/protocol.ts';
import type { ExecutableCall } from '../observe/tally.ts';
import type { Seen } from './results.ts';

/** What a recording has seen so far, handed on while it lasts, so that a crash of the recorder loses little. */

/** From something new on; short recordings have no checkpoint. */
const DELAY_MS = 2000;

export class Checkpoints {
  readonly #write: (seen: Seen) => Promise<unknown>;
  readonly #calls: ExecutableCall[] = [];
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** `write` is called DELAY_MS after something new was seen; a fault of it ends the checkpoints, not the recording. */
  constructor(write: (seen: Seen) => Promise<unknown>) {
    this.#write = write;
  }

  see({ fresh }: Progress): void {
    this.#calls.push(...fresh);
    // The results at the end meet the same fault, and it is told then.
    if (fresh.length > 0 && !this.#isClosed)
      this.#timer ??= setTimeout(() => this.#hand().catch(() => this.close()), DELAY_MS);
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  async #hand(): Promise<void> {
    this.#timer = undefined;
    const { evidenceOf } = await import('./evidence.ts');
    const images = [...new Set(this.#calls.map(({ exe }) => exe))];
    const seen = { evidence: evidenceOf(this.#calls), images, path: images[0] ?? '', isWhole: false };
    if (!this.#isClosed) await this.#write(seen);
  }
}
