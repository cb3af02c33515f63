import { PolicyError, UsageError } from '../../base/errors.ts';
import { writeFileAtomically } from '../../kernel/files.ts';
import { readSource } from '../../load/source.ts';
import { parsePolicy } from '../../policy/parse.ts';
import { printPolicy } from '../../policy/print.ts';
import { PolicyUnion } from '../../policy/union.ts';
import { EvidenceUnion, parseEvidence, printEvidence } from '../../record/evidence.ts';
import type { CommandEntry } from '../command.ts';
import { print } from '../output.ts';
import { commandParser, parseWords } from '../parser.ts';

const EXAMPLE = `
selkie merge web-1.yaml web-2.yaml web-3.yaml -o web.yaml
selkie merge *.evidence.json -o web.evidence.json
find fleet -name '*.evidence.json' | selkie merge --from - -o web.evidence.json
`;

/** In bytes. */
const LARGEST = 1 << 26;

interface Options {
  readonly from?: string;
  readonly output?: string;
}

/** `selkie merge A B...` */
export async function run(words: readonly string[], entry: CommandEntry): Promise<number> {
  const parser = commandParser(entry, EXAMPLE)
    .argument('[files...]', 'policies, or evidence files that record wrote')
    .option('--from <file>', 'more names of files, one a line; - is standard input')
    .option('-o, --output <file>', 'where to write (default: standard output)');
  const parsed = parseWords<Options>(parser, words);
  if (!parsed) return 0;
  const { from, output } = parsed.options;
  const files = [...parsed.operands, ...(from === undefined ? [] : namesFrom(from))];
  const text = mergeFiles(files);
  if (output === undefined) print(text);
  else writeFileAtomically(output, text);
  return 0;
}

function namesFrom(file: string): readonly string[] {
  const text = new TextDecoder().decode(readSource(file, LARGEST));
  return text.split('\n').filter((name) => name !== '');
}

/** One file at a time is in memory. @throws {UsageError} `bad_usage`, as the parsers; {PolicyError} as PolicyUnion */
function mergeFiles(files: readonly string[]): string {
  const policies = new PolicyUnion();
  const evidence = new EvidenceUnion();
  let first: { readonly file: string; readonly isEvidence: boolean } | undefined;
  for (const file of files) {
    const text = new TextDecoder().decode(readSource(file, LARGEST));
    const kind = { file, isEvidence: isEvidence(text, file) };
    first ??= kind;
    if (kind.isEvidence !== first.isEvidence) refuseMixed(first.isEvidence ? [file, first.file] : [first.file, file]);
    if (kind.isEvidence) evidence.add(parseEvidence(text, file));
    else addPolicy(policies, text, file, first.file);
  }
  if (first === undefined)
    throw new UsageError('bad_usage', 'Cannot merge: no files are named; see: selkie merge --help');
  return first.isEvidence ? printEvidence(evidence.evidence()) : printPolicy(policies.policy());
}

/** Evidence is a JSON object a line; a policy in JSON has no `exe`. */
function isEvidence(text: string, file: string): boolean {
  const [line = ''] = text.split('\n', 1);
  return /^\{.*"(?:exe|quiet)":.*\}$/.test(line) || (text.trim() === '' && file.endsWith('.evidence.json'));
}

function refuseMixed([policy, evidence]: readonly string[]): never {
  const problem = `Cannot merge "${policy}" and "${evidence}": the first is a policy, the second evidence`;
  throw new UsageError('merge_mixed', `${problem}: merge each kind by itself`);
}

function addPolicy(union: PolicyUnion, text: string, file: string, first: string): void {
  const policy = parsePolicy(text, { file });
  try {
    union.add(policy);
  } catch (error) {
    if (!(error instanceof PolicyError) || error.place) throw error;
    throw new PolicyError(error.code, `${file} and ${first}: ${error.problem}`, undefined, { cause: error });
  }
}
