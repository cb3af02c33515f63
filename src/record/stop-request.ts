/** Being asked to end, while runs follow each other. */

const ENDING = ['SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGHUP'] as const;

/** Whether somebody asked Selkie to end: the running command gets the signal (observe/signals.ts), and no other is started. */
export class StopRequest {
  isMade = false;
  readonly #handler = (): void => {
    this.isMade = true;
  };

  constructor() {
    for (const name of ENDING) process.on(name, this.#handler);
  }

  close(): void {
    for (const name of ENDING) process.off(name, this.#handler);
  }
}
