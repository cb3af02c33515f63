import { comparable, differences } from '../../decision/compare.ts';
import { Diagrams } from '../../decision/diagrams.ts';
import { differenceLines } from '../../decision/difference-text.ts';
import { diagramOfStack } from '../../decision/stack.ts';
import { loadFilter } from '../../load/filter.ts';
import type { CommandEntry } from '../command.ts';
import { print, sayNote, toJson } from '../output.ts';
import { commandParser, parseWords } from '../parser.ts';
import { differenceFields } from './diff.ts';

const EXAMPLE = `
selkie prove -p web.yaml web.bpf          does this program do what the policy says?
selkie prove -p web.yaml web.sealed
selkie prove -p docker.json pid:1234      does the runtime enforce the profile?
`;

/** What no filter decides, so that no proof covers it (kernel/seccomp.c, seccomp_uprobe_exception). */
const EXCEPTION = 'uretprobe and uprobe of x86_64, which the kernel lets pass before any filter, are not covered';

/** `selkie prove -p POLICY PROG`: exit code 0 when they are equal for every call, 1 when not. */
export async function run(words: readonly string[], entry: CommandEntry): Promise<number> {
  const parser = commandParser(entry, EXAMPLE)
    .argument('<program>', 'a raw BPF program, a sealed binary, pid:N, or another policy')
    .requiredOption('-p, --policy <filter>', 'what it shall do')
    .option('--json', 'one JSON object');
  const parsed = parseWords<{ policy: string; json?: boolean }>(parser, words);
  if (!parsed) return 0;
  const policy = loadFilter(parsed.options.policy);
  const program = loadFilter(parsed.operands[0] as string);
  const space = new Diagrams();
  const pair = comparable(space, diagramOfStack(space, policy.stack), diagramOfStack(space, program.stack));
  const equal = pair[0] === pair[1];
  const found = equal ? [] : differences(space, pair);
  if (parsed.options.json) {
    print(toJson({ equal, exceptions: EXCEPTION, differences: found.map(differenceFields) }));
    return equal ? 0 : 1;
  }
  for (const note of new Set([...policy.notes, ...program.notes])) sayNote(note);
  if (equal) print('proven: for every architecture, number, instruction pointer and argument both return the same');
  for (const line of differenceLines(found, { left: 'the policy', right: 'the program' })) print(line);
  sayNote(EXCEPTION);
  return equal ? 0 : 1;
}
