import { readFileSync } from 'node:fs';
import { inspectElf, isElf } from '../../elf/seal.ts';
import { type Explanation, explanationLine } from '../../explain/describe.ts';
import { type Explained, explainCommand } from '../../explain/explain.ts';
import { findExecutable } from '../../kernel/command.ts';
import { loadPolicy } from '../../load/filter.ts';
import { exitCodeOf } from '../../observe/session.ts';
import type { CommandEntry } from '../command.ts';
import { say, sayNote } from '../output.ts';
import { commandParser, parseWords } from '../parser.ts';

const EXAMPLE = `
selkie explain -p makeTheFolder.yaml ./makeTheFolder      the same as: selkie run --explain ...
selkie explain -p web.yaml --json ./server                one JSON line for each denial, on stderr
selkie explain ./confined                                 what the filter denies that a program brings itself
`;

interface Options {
  readonly policy?: string;
  readonly ownFilters?: boolean;
  readonly json?: boolean;
}

/** `selkie explain [-p POLICY] CMD...`: exits as the command did. */
export async function run(words: readonly string[], entry: CommandEntry): Promise<number> {
  const parser = commandParser(entry, EXAMPLE)
    .argument('<cmd...>', 'the command with its arguments')
    .option(
      '-p, --policy <file>',
      'the policy; of its start:, execve ends with the exec; without it only filters count that programs bring',
    )
    .option('--own-filters', 'explain these too beside a policy (always so for a sealed program)')
    .option('--json', 'JSON lines on stderr')
    .passThroughOptions();
  const parsed = parseWords<Options>(parser, words);
  if (!parsed) return 0;
  return explainRun(parsed.operands, parsed.options);
}

/** Runs a command and says what is denied: at once, and at the end with how often. */
export async function explainRun(command: readonly string[], options: Options): Promise<number> {
  const { policy: file, json } = options;
  const tell = (event: 'denied' | 'total', explanation: Explanation): void =>
    say(json ? JSON.stringify({ event, ...explanation }) : `selkie: ${explanationLine(explanation)}`);
  const policy = file === undefined ? undefined : loadPolicy(file, { onNote: sayNote });
  const ownFilters = policy === undefined || options.ownFilters === true || isSealed(command);
  const explained = await explainCommand({
    ...(policy && { policy }),
    command,
    ownFilters,
    onDenial: (explanation) => tell('denied', explanation),
  });
  const { explanations, untold, error, status } = explained;
  if (!json) say(`selkie: ${summary(explained, ownFilters)}`);
  else if (ownFilters) say(filtersEvent(explained));
  for (const explanation of explanations) tell('total', explanation);
  if (untold.length > 0)
    say(json ? JSON.stringify({ event: 'untold', signal: 'SIGSYS', actions: untold }) : untoldLine(untold));
  if (error) throw error;
  return exitCodeOf(status);
}

function filtersEvent({ ownFilters, isApproximate }: Explained): string {
  return JSON.stringify({ event: 'filters', installed: ownFilters, approximate: isApproximate });
}

function summary(explained: Explained, ownFilters: boolean): string {
  const kinds = `kinds of denied calls: ${explained.explanations.length}`;
  if (!ownFilters) return kinds;
  const doubt = explained.isApproximate ? ' (not sure for all threads and children which of them they had)' : '';
  return `${kinds}; filters that programs brought: ${explained.ownFilters}${doubt}`;
}

/** A sealed program is of no interest without its filter. */
function isSealed([word = '']: readonly string[]): boolean {
  const path = findExecutable(word);
  try {
    const bytes = readFileSync(path);
    return isElf(bytes) && inspectElf(bytes) !== undefined;
  } catch {
    // It can be executed but not read, or is damaged or larger than Node can hold: nothing is known then.
    return false;
  }
}

function untoldLine(actions: readonly string[]): string {
  const names = actions.join(' or ');
  return `selkie: ended by SIGSYS, as ${names} makes it: the kernel does that itself and tells nobody which call it was; put kill_process in its place to see`;
}
