import { requireFree } from '../../apply/replace-file.ts';
import { UsageError } from '../../base/errors.ts';
import { combineFilters } from '../../decision/actions.ts';
import { Diagrams, type Node } from '../../decision/diagrams.ts';
import { diagramOfProgram } from '../../decision/from-program.ts';
import { liftDiagram } from '../../decision/lift/lift.ts';
import { diagramOfStack } from '../../decision/stack.ts';
import { writeFileAtomically } from '../../kernel/files.ts';
import { collectInstallations, type SeenInstallation } from '../../lift/installations.ts';
import { loadFilter } from '../../load/filter.ts';
import { exitCodeOf } from '../../observe/session.ts';
import { printPolicy } from '../../policy/print.ts';
import type { CommandEntry } from '../command.ts';
import { print, say, sayNote, toJson } from '../output.ts';
import { commandParser, parseWords } from '../parser.ts';

const EXAMPLE = `
selkie lift prog.bpf                          a policy that means what the program means, proven
selkie lift pid:1234 -o server.yaml           what a process is confined by (all its filters together)
selkie lift -o web.yaml -- ./server           what a command installs itself; no root needed
`;

interface Options {
  readonly output?: string;
  readonly pretend?: boolean;
  readonly force?: boolean;
  readonly json?: boolean;
}

/**
 * `selkie lift FILTER` and `selkie lift -- CMD...`. Exit code 0 when the policy means the same, 1 when something does not fit the
 * language; with a command, its own exit code where that is not 0.
 */
export async function run(words: readonly string[], entry: CommandEntry): Promise<number> {
  const end = words.indexOf('--');
  const command = end < 0 ? [] : words.slice(end + 1);
  const parser = commandParser(entry, EXAMPLE)
    .argument('[filter]', 'a raw BPF program, a sealed binary, pid:N, a profile or policy, or - for standard input')
    .option('-o, --output <file>', 'where to write the policy (default: standard output)')
    .option(
      '--pretend',
      'with a command: its installations seem to succeed and are not made, so that it goes on unconfined',
    )
    .option('--force', 'replace a file that exists')
    .option('--json', 'one JSON object: the policy, whether it is exact, what does not fit');
  const parsed = parseWords<Options>(parser, end < 0 ? words : words.slice(0, end));
  if (!parsed) return 0;
  const { output, force } = parsed.options;
  if (output !== undefined) requireFree({ path: output, force: force === true });
  const [source] = parsed.operands;
  if ((source === undefined) === (command.length === 0))
    throw new UsageError(
      'bad_usage',
      'Cannot lift: wanted either a filter, or -- and a command; see: selkie lift --help',
    );
  const space = new Diagrams();
  if (source !== undefined) {
    const filter = loadFilter(source);
    filter.notes.forEach(sayNote);
    return tell(space, diagramOfStack(space, filter.stack), parsed.options);
  }
  return liftCommand(space, command, parsed.options);
}

async function liftCommand(space: Diagrams, command: readonly string[], options: Options): Promise<number> {
  const treatment = options.pretend ? 'pretend' : 'permit';
  const { installations, status, error } = await collectInstallations({ command, treatment });
  if (error) throw error;
  const stack = stackOf(installations);
  if (stack.length === 0) {
    say('selkie lift: the command installed no filter that could be read');
    return exitCodeOf(status) || 1;
  }
  for (const { exe, pid, program, flags } of installations)
    sayNote(
      `${exe ?? 'a program'} (pid ${pid}) installed ${program?.length ?? 'an unreadable program of unknown'} instructions, flags ${flags}`,
    );
  const diagrams = stack.map((program) => diagramOfProgram(space, program));
  const code = tell(space, combineFilters(space, diagrams), options);
  return exitCodeOf(status) || code;
}

/** The programs that the process with the last installation made, newest first. */
function stackOf(installations: readonly SeenInstallation[]): NonNullable<SeenInstallation['program']>[] {
  const last = installations.findLast(({ program }) => program !== undefined);
  const own = installations.filter(({ pid }) => pid === last?.pid);
  return own.flatMap(({ program }) => (program ? [program] : [])).reverse();
}

function tell(space: Diagrams, root: Node, { output, json }: Options): number {
  const { policy, isExact, problems } = liftDiagram(space, root);
  const text = printPolicy(policy);
  if (output !== undefined) writeFileAtomically(output, text);
  if (json) print(toJson({ exact: isExact, problems, rules: policy.syscalls.length, policy: text, output }));
  else if (output === undefined) print(text);
  if (!json) {
    for (const problem of problems) sayNote(`not in the policy: ${problem}`);
    const proof = isExact ? 'proven equal to the filter' : 'NOT equal to the filter';
    say(`selkie lift: ${policy.syscalls.length} rules, ${proof}${output === undefined ? '' : ` → ${output}`}`);
  }
  return isExact ? 0 : 1;
}
