import { type Cost, costOf } from '../../audit/cost.ts';
import { representatives } from '../../audit/representatives.ts';
import { subjectOf } from '../../audit/subject.ts';
import { encodeProgram } from '../../bpf/codec.ts';
import { timeCalls } from '../../kernel/measure.ts';
import { callCounts } from '../../load/counts.ts';
import { loadFilter } from '../../load/filter.ts';
import type { CommandEntry } from '../command.ts';
import { costText, type Measured, measuredText } from '../cost/text.ts';
import { print, say, toJson } from '../output.ts';
import { commandParser, parseWords } from '../parser.ts';

const EXAMPLE = `
selkie cost web.yaml                                     instructions of every call, and which the kernel's bitmap spares
selkie cost web.yaml --evidence web.evidence.json        by how often each call was made when it was recorded
selkie cost web.yaml --measure                           nanoseconds in this kernel, beside no filter
`;

interface Options {
  readonly evidence?: string;
  readonly measure?: boolean;
  readonly json?: boolean;
}

/** `selkie cost FILTER`: exit code 0; 1 when --measure could not measure. */
export async function run(words: readonly string[], entry: CommandEntry): Promise<number> {
  const parser = commandParser(entry, EXAMPLE)
    .argument(
      '<filter>',
      'a policy, a seccomp profile, a sealed binary, a raw BPF program, pid:N, or - for standard input',
    )
    .option('--evidence <file>', 'weigh calls by this evidence, as record writes it beside a policy')
    .option('--measure', 'time a few calls in the kernel, with the filter and without')
    .option('--json', 'one JSON object with every call');
  const parsed = parseWords<Options>(parser, words);
  if (!parsed) return 0;
  const { evidence, measure, json } = parsed.options;
  const counts = evidence === undefined ? undefined : callCounts(evidence);
  const filter = loadFilter(parsed.operands[0] as string);
  const { policy, arch, kind } = filter;
  const { stack } = filter;
  const subject = subjectOf({ stack, arch, isPolicy: kind === 'policy', ...(policy && { policy }) });
  const cost: Cost = costOf(subject, stack, counts);
  const chosen = measure ? representatives(subject, stack) : [];
  const measured = measure
    ? measuredOf(
        chosen,
        stack.toReversed().map((program) => encodeProgram(program)),
      )
    : undefined;
  if (json) print(toJson({ kind, ...cost, ...(measured && { measured }) }));
  else {
    for (const note of filter.notes) say(`note: ${note}`);
    print(costText(cost));
    if (measured) print(measuredText(measured));
  }
  return measured && 'cannot' in measured ? 1 : 0;
}

function measuredOf(chosen: ReturnType<typeof representatives>, filters: readonly Uint8Array[]): Measured {
  if (chosen.length === 0)
    return { cannot: 'the filter has no call of x86_64 that can be made again and again harmlessly' };
  const timings = timeCalls(filters, chosen);
  if (typeof timings === 'string') return { cannot: timings };
  return { calls: chosen.map((call, index) => ({ ...call, ns: timings[index] as (typeof timings)[number] })) };
}
