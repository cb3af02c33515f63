import { printReturn } from '../../bpf/disassemble.ts';
import type { Difference } from '../../decision/compare.ts';
import { type Comparison, compareStacks } from '../../decision/compare-stacks.ts';
import { differenceLines, exampleText, type Names } from '../../decision/difference-text.ts';
import { type LoadedFilter, loadFilter } from '../../load/filter.ts';
import { sourceName } from '../../load/source.ts';
import { printCondition } from '../../policy/condition-print.ts';
import type { CommandEntry } from '../command.ts';
import { comparePaths } from '../compare-paths.ts';
import { print, sayNote, toJson } from '../output.ts';
import { commandParser, parseWords } from '../parser.ts';

const EXAMPLE = `
selkie diff old.yaml new.yaml             what the new policy allows more, and less
selkie diff web.yaml web.sealed           is that policy in the binary?
selkie diff docker.json pid:1234          what a process is really confined by, beside its profile
`;

/** Said where a comparison is not complete. */
export const ONLY_EXAMPLE = 'more calls differ than can be listed: this is one of them';

/** `selkie diff A B`: exit code 0 when they do the same for every call and every path, 1 when not. */
export async function run(words: readonly string[], entry: CommandEntry): Promise<number> {
  const parser = commandParser(entry, EXAMPLE)
    .argument('<a>', 'a policy, a profile, a sealed binary, a raw BPF program, pid:N')
    .argument('<b>', 'the same')
    .option('--json', 'one JSON object: every difference with an example');
  const parsed = parseWords<{ json?: boolean }>(parser, words);
  if (!parsed) return 0;
  const filters = parsed.operands.map((source) => loadFilter(source));
  const [a = [], b = []] = filters.map((filter) => filter.stack);
  const { differences, isComplete, permitsMore } = compareStacks(a, b);
  const names = namesOf(parsed.operands as [string, string]);
  const paths = comparePaths(...(filters as [LoadedFilter, LoadedFilter]), names);
  const sameCalls = differences.length === 0;
  const equal = sameCalls && paths.differences.length === 0;
  if (parsed.options.json) {
    const moreIn = permitsMore && { a: permitsMore.left, b: permitsMore.right };
    print(
      toJson({
        equal,
        complete: isComplete,
        permitsMore: moreIn,
        differences: differences.map(differenceFields),
        paths: paths.differences,
      }),
    );
    return equal ? 0 : 1;
  }
  for (const note of new Set([...filters.flatMap(({ notes }) => notes), ...paths.notes])) sayNote(note);
  for (const line of [...differenceLines(differences, names), ...paths.differences]) print(line);
  if (!isComplete) sayNote(ONLY_EXAMPLE);
  print(sameCalls ? `${names.left} and ${names.right} do the same for every call` : summary(permitsMore, names));
  return equal ? 0 : 1;
}

/** By what they were given as, unless that does not tell them apart. */
function namesOf([left, right]: readonly [string, string]): Names {
  return left === right ? { left: 'A', right: 'B' } : { left: sourceName(left), right: sourceName(right) };
}

function summary(permitsMore: Comparison['permitsMore'], { left, right }: Names): string {
  if (!permitsMore) return `${left} and ${right} differ`;
  if (permitsMore.left && permitsMore.right)
    return `each of ${left} and ${right} permits calls that the other does not`;
  if (permitsMore.left) return `${left} permits more: all that ${right} permits, and other calls`;
  if (permitsMore.right) return `${right} permits more: all that ${left} permits, and other calls`;
  return `${left} and ${right} permit the same calls, and answer others differently`;
}

/** A difference for machines. */
export function differenceFields(difference: Difference): object {
  const { arch, first, last, name, condition, isExact, left, right, example } = difference;
  const fallback = arch ?? 'x86_64';
  return {
    arch: arch ?? 'other',
    ...(first === last ? { number: first } : { numbers: [first, last] }),
    ...(name !== undefined && { name }),
    ...(condition && { condition: printCondition(condition) }),
    ...(!isExact && { conditionOmitted: true }),
    a: printReturn(left, fallback),
    b: printReturn(right, fallback),
    example: {
      text: exampleText(difference),
      ...example,
      args: example.args.map((value) => `0x${value.toString(16)}`),
    },
  };
}
