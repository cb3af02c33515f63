import { printReturn } from '../../bpf/disassemble.ts';
import { comparable, type Difference, differences, isSubset } from '../../decision/compare.ts';
import { Diagrams } from '../../decision/diagrams.ts';
import { differenceLines, exampleText, type Names } from '../../decision/difference-text.ts';
import { diagramOfStack } from '../../decision/stack.ts';
import { loadFilter } from '../../load/filter.ts';
import { sourceName } from '../../load/source.ts';
import { printCondition } from '../../policy/condition-print.ts';
import type { CommandEntry } from '../command.ts';
import { print, sayNote, toJson } from '../output.ts';
import { commandParser, parseWords } from '../parser.ts';

const EXAMPLE = `
selkie diff old.yaml new.yaml             what the new policy allows more, and less
selkie diff web.yaml web.sealed           is that policy in the binary?
selkie diff docker.json pid:1234          what a process is really confined by, beside its profile
`;

/** `selkie diff A B`: exit code 0 when they do the same for every call, 1 when not. */
export async function run(words: readonly string[], entry: CommandEntry): Promise<number> {
  const parser = commandParser(entry, EXAMPLE)
    .argument('<a>', 'a policy, a profile, a sealed binary, a raw BPF program, pid:N')
    .argument('<b>', 'the same')
    .option('--json', 'one JSON object: every difference with an example');
  const parsed = parseWords<{ json?: boolean }>(parser, words);
  if (!parsed) return 0;
  const filters = parsed.operands.map((source) => loadFilter(source));
  const space = new Diagrams();
  const [a = 0, b = 0] = filters.map((filter) => diagramOfStack(space, filter.stack));
  const pair = comparable(space, a, b);
  const found = differences(space, pair);
  const moreIn = { a: !isSubset(space, pair), b: !isSubset(space, [pair[1], pair[0]]) };
  if (parsed.options.json) {
    print(toJson({ equal: found.length === 0, permitsMore: moreIn, differences: found.map(differenceFields) }));
    return found.length === 0 ? 0 : 1;
  }
  for (const note of new Set(filters.flatMap(({ notes }) => notes))) sayNote(note);
  const names = namesOf(parsed.operands as [string, string]);
  for (const line of differenceLines(found, names)) print(line);
  print(summary(found.length, moreIn, names));
  return found.length === 0 ? 0 : 1;
}

/** By what they were given as, unless that does not tell them apart. */
function namesOf([left, right]: readonly [string, string]): Names {
  return left === right ? { left: 'A', right: 'B' } : { left: sourceName(left), right: sourceName(right) };
}

function summary(count: number, moreIn: { a: boolean; b: boolean }, { left, right }: Names): string {
  if (count === 0) return `${left} and ${right} do the same for every call`;
  if (moreIn.a && moreIn.b) return `each of ${left} and ${right} permits calls that the other does not`;
  if (moreIn.a) return `${left} permits more: all that ${right} permits, and other calls`;
  if (moreIn.b) return `${right} permits more: all that ${left} permits, and other calls`;
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
