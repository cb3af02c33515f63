import { type RunWay, runWithPolicy } from '../../apply/run.ts';
import { UsageError } from '../../base/errors.ts';
import { NATIVE_ARCH } from '../../kernel/native.ts';
import { loadPolicy } from '../../load/filter.ts';
import { permittedLines } from '../../policy/permitted.ts';
import type { CommandEntry } from '../command.ts';
import { say, sayNote } from '../output.ts';
import { commandParser, parseWords } from '../parser.ts';

const EXAMPLE = `
selkie run -p makeTheFolder.yaml ./makeTheFolder --its --own --options
selkie run -p makeTheFolder.yaml --print ./makeTheFolder      lists first what is permitted
selkie run -p makeTheFolder.yaml --explain ./makeTheFolder    says what is denied, and what would permit it
What start: alone permits, execve first of all, is out of force from the command's first instruction on; what executes others needs execve in syscalls:.
`;

interface Options {
  readonly policy: string;
  readonly print?: boolean;
  readonly explain?: boolean;
  readonly inject?: boolean;
  readonly simple?: boolean;
  readonly json?: boolean;
}

/**
 * `selkie run -p POLICY CMD...`: Selkie's process becomes the command, so signals, terminal and exit code are the command's own. Returns
 * only by throwing.
 */
export async function run(words: readonly string[], entry: CommandEntry): Promise<number> {
  const parser = commandParser(entry, EXAMPLE)
    .argument('<cmd...>', 'the command with its arguments')
    .requiredOption('-p, --policy <file>', 'the policy; its start: is in force until the entry of the command')
    .option('--simple', 'keep start: in force the whole time: no user notification, no ptrace')
    .option('--inject', 'end start: by ptrace, also where user notification would do')
    .option('--print', 'list on stderr what is permitted, then run')
    .option('--explain', 'say on stderr what is denied, from which function, and what would permit it')
    .option('--json', 'with --explain: JSON lines')
    .passThroughOptions();
  const parsed = parseWords<Options>(parser, words);
  if (!parsed) return 0;
  const policy = loadPolicy(parsed.options.policy, { onNote: sayNote });
  if (parsed.options.print)
    say(
      permittedLines(policy, policy.arches ?? [NATIVE_ARCH])
        .map((line) => `[+] ${line}`)
        .join('\n'),
    );
  if (parsed.options.explain) {
    const { explainRun } = await import('./explain.ts');
    return explainRun(parsed.operands, parsed.options);
  }
  return runWithPolicy({ policy, command: parsed.operands, way: wayOf(parsed.options) });
}

function wayOf({ inject, simple }: Options): RunWay {
  if (inject && simple) throw new UsageError('two_ways', 'Cannot take --inject and --simple together: choose one');
  return inject ? 'inject' : simple ? 'simple' : 'auto';
}
