import type { Finding } from '../../audit/finding.ts';
import { SEVERITIES } from '../../audit/finding.ts';
import { lint } from '../../audit/lint.ts';
import { sarifLog } from '../../audit/sarif.ts';
import { subjectOf } from '../../audit/subject.ts';
import { findingLine } from '../../audit/text.ts';
import { UsageError } from '../../base/errors.ts';
import { type LoadedFilter, loadFilter } from '../../load/filter.ts';
import type { CommandEntry } from '../command.ts';
import { print, say, toJson } from '../output.ts';
import { commandParser, parseWords } from '../parser.ts';

declare const SELKIE_VERSION: string;

const EXAMPLE = `
selkie lint makeTheFolder.yaml                           what is wrong with it, and what to do
selkie lint web.yaml --format sarif > web.sarif          for a code host, beside the lines
`;

interface Options {
  readonly format: string;
  readonly json?: boolean;
}

const FORMATS = ['text', 'json', 'sarif'];

/** `selkie lint FILTER`: exit code 0 when there is no error and no warning, 1 when there is one. */
export async function run(words: readonly string[], entry: CommandEntry): Promise<number> {
  const parser = commandParser(entry, EXAMPLE)
    .argument(
      '<filter>',
      'a policy, a seccomp profile, a sealed binary, a raw BPF program, pid:N, or - for standard input',
    )
    .option('--format <format>', FORMATS.join(', '), 'text')
    .option('--json', 'the same as --format json');
  const parsed = parseWords<Options>(parser, words);
  if (!parsed) return 0;
  const format = parsed.options.json ? 'json' : parsed.options.format;
  if (!FORMATS.includes(format))
    throw new UsageError('unknown_format', `Cannot write "${format}": wanted one of ${FORMATS.join(', ')}`);
  const source = parsed.operands[0] as string;
  const filter = loadFilter(source);
  const { policy, arch, kind } = filter;
  const findings = lint(
    subjectOf({ stack: filter.stack, arch, isPolicy: kind === 'policy', ...(policy && { policy }) }),
  );
  write(findings, filter, format, source);
  return findings.some(({ severity }) => severity !== 'note') ? 1 : 0;
}

function write(findings: readonly Finding[], filter: LoadedFilter, format: string, source: string): void {
  const counts = Object.fromEntries(
    SEVERITIES.map((severity) => [severity, findings.filter((finding) => finding.severity === severity).length]),
  );
  if (format === 'sarif') {
    const file = source === '-' ? 'stdin' : source;
    print(toJson(sarifLog(findings, { file, version: SELKIE_VERSION })));
  } else if (format === 'json') print(toJson({ kind: filter.kind, counts, findings }));
  else {
    for (const note of filter.notes) say(`note: ${note}`);
    for (const finding of findings) print(findingLine(finding));
    if (findings.length === 0) print('nothing found');
  }
}
