import { type Explanation, explanationLine } from '../../explain/describe.ts';
import { explainCommand } from '../../explain/explain.ts';
import { loadPolicy } from '../../load/filter.ts';
import { exitCodeOf } from '../../observe/session.ts';
import type { CommandEntry } from '../command.ts';
import { say, sayNote } from '../output.ts';
import { commandParser, parseWords } from '../parser.ts';

const EXAMPLE = `
selkie explain -p makeTheFolder.yaml ./makeTheFolder      the same as: selkie run --explain ...
selkie explain -p web.yaml --json ./server                one JSON line for each denial, on stderr
`;

/** `selkie explain -p POLICY CMD...`: exits as the command did. */
export async function run(words: readonly string[], entry: CommandEntry): Promise<number> {
  const parser = commandParser(entry, EXAMPLE)
    .argument('<cmd...>', 'the command with its arguments')
    .requiredOption('-p, --policy <file>', 'the policy; its start: is in force too')
    .option('--json', 'JSON lines on stderr')
    .passThroughOptions();
  const parsed = parseWords<{ readonly policy: string; readonly json?: boolean }>(parser, words);
  if (!parsed) return 0;
  return explainRun(parsed.options.policy, parsed.operands, parsed.options.json === true);
}

/** Runs a command under a policy and says what is denied: at once, and at the end with how often. */
export async function explainRun(policyFile: string, command: readonly string[], json: boolean): Promise<number> {
  const tell = (event: 'denied' | 'total', explanation: Explanation): void =>
    say(json ? JSON.stringify({ event, ...explanation }) : `selkie: ${explanationLine(explanation)}`);
  const policy = loadPolicy(policyFile, { onNote: sayNote });
  const { observed, status, error, untold } = await explainCommand({
    policy,
    command,
    onDenial: (explanation) => tell('denied', explanation),
  });
  if (!json) say(`selkie: kinds of denied calls: ${observed.length}`);
  for (const explanation of observed) tell('total', explanation);
  if (untold.length > 0)
    say(json ? JSON.stringify({ event: 'untold', signal: 'SIGSYS', actions: untold }) : untoldLine(untold));
  if (error) throw error;
  return exitCodeOf(status);
}

function untoldLine(actions: readonly string[]): string {
  const names = actions.join(' or ');
  return `selkie: ended by SIGSYS, as ${names} makes it: the kernel does that itself and tells nobody which call it was; put kill_process in its place to see`;
}
