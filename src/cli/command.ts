/** What a command is; the table of all is commands.ts. */

/** A command's module: takes the words behind its name, resolves to the exit code. */
export interface CommandModule {
  readonly run: (words: readonly string[], entry: CommandEntry) => Promise<number>;
}

export interface CommandEntry {
  readonly name: string;
  readonly usage: string;
  readonly summary: string;
  /** `command`: stands around another program, so its own faults are 125 as with env(1); `tool`: 2 for bad input. */
  readonly kind: 'command' | 'tool';
  readonly load: () => Promise<CommandModule>;
}
