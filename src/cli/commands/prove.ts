import { compareStacks } from '../../decision/compare-stacks.ts';
import { differenceLines } from '../../decision/difference-text.ts';
import { loadFilter } from '../../load/filter.ts';
import type { CommandEntry } from '../command.ts';
import { comparePaths } from '../compare-paths.ts';
import { print, sayNote, toJson } from '../output.ts';
import { commandParser, parseWords } from '../parser.ts';
import { differenceFields, ONLY_EXAMPLE } from './diff.ts';

const EXAMPLE = `
selkie prove -p web.yaml web.bpf          does this program do what the policy says?
selkie prove -p web.yaml web.sealed
selkie prove -p docker.json pid:1234      does the runtime enforce the profile?
`;

/** What no filter decides, so that no proof covers it (kernel/seccomp.c, seccomp_uprobe_exception). */
const EXCEPTION = 'uretprobe and uprobe of x86_64, which the kernel lets pass before any filter, are not covered';

/** `selkie prove -p POLICY PROG`: exit code 0 when they are equal for every call and every path, 1 when not. */
export async function run(words: readonly string[], entry: CommandEntry): Promise<number> {
  const parser = commandParser(entry, EXAMPLE)
    .argument('<program>', 'a raw BPF program, a sealed binary, pid:N, or another policy')
    .requiredOption('-p, --policy <filter>', 'what it shall do')
    .option('--json', 'one JSON object');
  const parsed = parseWords<{ policy: string; json?: boolean }>(parser, words);
  if (!parsed) return 0;
  const policy = loadFilter(parsed.options.policy);
  const program = loadFilter(parsed.operands[0] as string);
  const { differences, isComplete } = compareStacks(policy.stack, program.stack);
  const names = { left: 'the policy', right: 'the program' };
  const paths = comparePaths(policy, program, names);
  const sameCalls = differences.length === 0;
  const equal = sameCalls && paths.differences.length === 0;
  if (parsed.options.json) {
    print(
      toJson({
        equal,
        exceptions: EXCEPTION,
        complete: isComplete,
        differences: differences.map(differenceFields),
        paths: paths.differences,
      }),
    );
    return equal ? 0 : 1;
  }
  for (const note of new Set([...policy.notes, ...program.notes, ...paths.notes])) sayNote(note);
  if (sameCalls) print('proven: for every architecture, number, instruction pointer and argument both return the same');
  for (const line of [...differenceLines(differences, names), ...paths.differences]) print(line);
  if (!isComplete) sayNote(ONLY_EXAMPLE);
  sayNote(EXCEPTION);
  return equal ? 0 : 1;
}
