import { SelkieError } from '../base/errors.ts';
import type { CommandEntry } from './command.ts';
import { COMMANDS } from './commands.ts';
import { errorFields, isRefusal, print, say, toJson } from './output.ts';

declare const SELKIE_VERSION: string;

const OWN_FAULT = 125;
const BAD_INPUT = 2;

async function unknownCommand(word: string): Promise<number> {
  const { didYouMean } = await import('../base/nearest.ts');
  const what = word.startsWith('-') ? 'option' : 'command';
  const names = COMMANDS.map((command) => command.name);
  say(`selkie: no such ${what}: ${JSON.stringify(word)}${didYouMean(word, names)}\nsee: selkie --help`);
  return OWN_FAULT;
}

function exitCodeOf(error: unknown, command: CommandEntry): number {
  // A command that cannot be executed: 126 or 127, as env(1).
  if (error instanceof SelkieError && 'exitCode' in error) return Number(error.exitCode);
  return command.kind === 'command' || isRefusal(error) ? OWN_FAULT : BAD_INPUT;
}

/** `--json` counts only among the command's own words, before a program's. */
function wantsJson(words: readonly string[]): boolean {
  const end = words.indexOf('--');
  return words.slice(0, end < 0 ? words.length : end).includes('--json');
}

function report(error: unknown, command: CommandEntry, words: readonly string[]): number {
  if (error instanceof SelkieError) {
    if (wantsJson(words)) (command.kind === 'command' ? say : print)(toJson(errorFields(error)));
    else say(`selkie ${command.name}: ${error.message}`);
    return exitCodeOf(error, command);
  }
  say(`selkie ${command.name}: internal error: ${error instanceof Error ? error.stack : String(error)}`);
  return OWN_FAULT;
}

async function main(): Promise<number> {
  const [name = '', ...words] = process.argv.slice(2);
  if (name === '--version' || name === '-V') {
    print(SELKIE_VERSION);
    return 0;
  }
  if (name === 'help') {
    if (words[0] !== undefined) return dispatch(words[0], ['--help']);
    const { topHelp } = await import('./commands.ts');
    print(topHelp(SELKIE_VERSION));
    return 0;
  }
  return dispatch(name, words);
}

async function dispatch(name: string, words: readonly string[]): Promise<number> {
  const command = COMMANDS.find((entry) => entry.name === name);
  if (!command) return unknownCommand(name);
  try {
    const module = await command.load();
    return await module.run(words, command);
  } catch (error) {
    return report(error, command, words);
  }
}

process.exitCode = await main();
