import type { Progress } from './protocol.ts';
import type { Tracer } from './tracer.ts';

/** How often calls are counted that are no news. */
const COUNT_MS = 500;

/** Reads a tracer's maps when they have news, and now and then besides, and tells of it. */
export class TracerReading {
  readonly #tracer: Tracer;
  readonly #tell: (progress: Progress) => void;
  #counted = 0;

  constructor(tracer: Tracer, tell: (progress: Progress) => void) {
    this.#tracer = tracer;
    this.#tell = tell;
  }

  /** To be called again and again; `isOver`: read in any case. @returns whether there was news */
  look(isOver: boolean): boolean {
    const isNew = this.#tracer.hasNews;
    if (!isOver && !isNew && Date.now() - this.#counted < COUNT_MS) return false;
    const calls = this.#tracer.read();
    this.#tell({ calls, fresh: this.#tracer.takeFresh() });
    this.#counted = Date.now();
    return isNew;
  }
}
