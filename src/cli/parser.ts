import { Command, CommanderError } from 'commander';
import { UsageError } from '../base/errors.ts';
import type { CommandEntry } from './command.ts';
import { print } from './output.ts';

/**
 * A commander command with the summary and usage of the command table. Faults become UsageErrors; help goes to stdout.
 *
 * @param example - lines shown under "example:" in the help
 */
export function commandParser(entry: CommandEntry, example: string): Command {
  return new Command(`selkie ${entry.name}`)
    .usage(entry.usage)
    .description(entry.summary)
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({ writeOut: print, writeErr: () => {} })
    .addHelpText('after', `\nexample:\n${example.trim().replace(/^/gm, '  ')}\n`);
}

/** Options and operands of one call; undefined when the user asked for help and got it. */
export function parseWords<Options>(
  parser: Command,
  words: readonly string[],
): { options: Options; operands: string[] } | undefined {
  try {
    parser.action(() => {});
    parser.parse([...words], { from: 'user' });
    return { options: parser.opts() as Options, operands: parser.args };
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.code === 'commander.helpDisplayed' || error.code === 'commander.help') return undefined;
    const message = error.message.replace(/^error: /, '').replace(/\n/g, ' ');
    throw new UsageError('bad_usage', `${message}; see: ${parser.name()} --help`);
  }
}
