import { requireFree } from '../../apply/replace-file.ts';
import { UsageError } from '../../base/errors.ts';
import { combineFilters } from '../../decision/actions.ts';
import { Diagrams, type Node } from '../../decision/diagrams.ts';
import { diagramOfProgram } from '../../decision/from-program.ts';
import { liftDiagram } from '../../decision/lift/lift.ts';
import { diagramOfStack } from '../../decision/stack.ts';
import { constantName } from '../../facts/constants.ts';
import { writeFileAtomically } from '../../kernel/files.ts';
import { errnoName } from '../../kernel/libc.ts';
import { type InForce, inForceAtEnd } from '../../lift/in-force.ts';
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
    .option(
      '-o, --output <file>',
      'where to write the policy (default: standard output); with a command it is required',
    )
    .option(
      '--pretend',
      'with a command: its installations seem to succeed and are not made, so that it goes on unconfined',
    )
    .option('--force', 'replace a file that exists')
    .option(
      '--json',
      'one JSON object: the policy, whether it is exact, what does not fit (with a command: on stderr)',
    );
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
  if (source === undefined && output === undefined && !parsed.options.json)
    throw new UsageError(
      'bad_usage',
      "Cannot lift: standard output is the command's own, so -o FILE must say where the policy goes (or --json: to stderr)",
    );
  const space = new Diagrams();
  if (source !== undefined) {
    const filter = loadFilter(source);
    filter.notes.forEach(sayNote);
    return tell(space, diagramOfStack(space, filter.stack), { ...parsed.options, tellJson: print });
  }
  return liftCommand(space, command, parsed.options);
}

async function liftCommand(space: Diagrams, command: readonly string[], options: Options): Promise<number> {
  const treatment = options.pretend ? 'pretend' : 'permit';
  const { installations, status, error } = await collectInstallations({ command, treatment });
  if (error) throw error;
  if (!options.json) for (const each of installations) sayNote(installationText(each));
  const found = inForceAtEnd(installations, treatment === 'permit');
  if (!found) {
    say('selkie lift: the command installed no filter that could be read');
    return exitCodeOf(status) || 1;
  }
  sayNote(inForceText(found));
  const diagrams = found.stack.map((program) => diagramOfProgram(space, program));
  const code = tell(space, combineFilters(space, diagrams), { ...options, tellJson: say });
  return exitCodeOf(status) || code;
}

/** `/usr/bin/app (pid 7) installed 14 instructions, flags TSYNC|LOG`: one line for each. */
function installationText({ exe, pid, program, flags, errno }: SeenInstallation): string {
  const size = program === undefined ? 'a program that cannot be read' : `${program.length} instructions`;
  const verb = errno === 0 ? 'installed' : 'wanted to install';
  const refused = errno === undefined || errno === 0 ? '' : `: refused with ${errnoName(errno)}`;
  return `${exe ?? 'a program'} (pid ${pid}) ${verb} ${size}${flags === 0 ? '' : `, flags ${flagsText(flags)}`}${refused}`;
}

function flagsText(flags: number): string {
  const bits = Array.from({ length: 32 }, (_, bit) => 2 ** bit).filter((bit) => Math.floor(flags / bit) % 2 === 1);
  const prefix = 'SECCOMP_FILTER_FLAG_';
  return bits
    .map((bit) => constantName('x86_64', prefix, BigInt(bit))?.slice(prefix.length) ?? `0x${bit.toString(16)}`)
    .join('|');
}

function inForceText({ last, stack, inherited, isSure }: InForce): string {
  const from = inherited === 0 ? '' : `, ${inherited} of them inherited`;
  const doubt = isSure
    ? ''
    : '; the kernel counts another number of filters there, so that it is not sure that they are these';
  return `lifted is what pid ${last.pid} has, which made the last installation: ${stack.length} filter${stack.length === 1 ? '' : 's'}${from}${doubt}`;
}

interface TellOptions extends Options {
  readonly tellJson: (text: string) => void;
}

function tell(space: Diagrams, root: Node, { output, json, tellJson }: TellOptions): number {
  const { policy, isExact, isExactElsewhere, problems } = liftDiagram(space, root);
  const text = printPolicy(policy);
  if (output !== undefined) writeFileAtomically(output, text);
  if (json) {
    const rules = policy.syscalls.length;
    tellJson(toJson({ exact: isExact, exactElsewhere: isExactElsewhere, problems, rules, policy: text, output }));
    return isExact ? 0 : 1;
  }
  if (output === undefined) print(text);
  for (const problem of problems) sayNote(`not in the policy: ${problem}`);
  const proof = isExact
    ? 'proven equal to the filter'
    : isExactElsewhere
      ? 'proven equal to the filter but for what is named above'
      : 'NOT equal to the filter';
  const rules = `${policy.syscalls.length} rule${policy.syscalls.length === 1 ? '' : 's'}`;
  say(`selkie lift: ${rules}, ${proof}${output === undefined ? '' : ` → ${output}`}`);
  return isExact ? 0 : 1;
}
