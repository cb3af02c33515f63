import { PolicyError, UsageError } from '../../base/errors.ts';
import { printReturn } from '../../bpf/disassemble.ts';
import type { Program, SeccompData } from '../../bpf/instruction.ts';
import type { Outcome } from '../../bpf/interpret.ts';
import { interpretStack } from '../../bpf/stack.ts';
import { ARCH_NAMES, type ArchName } from '../../facts/arches.ts';
import { SECCOMP_RET_ALLOW } from '../../facts/seccomp.ts';
import { readBounded } from '../../kernel/files.ts';
import { type LoadedFilter, loadFilter } from '../../load/filter.ts';
import { parseJsonCall } from '../../policy/call-json.ts';
import { parseCall } from '../../policy/call-text.ts';
import type { CommandEntry } from '../command.ts';
import { inputLines } from '../input-lines.ts';
import { print, say, sayNote, toJson } from '../output.ts';
import { commandParser, parseWords } from '../parser.ts';

const EXAMPLE = `
selkie simulate -p web.yaml 'socket(AF_INET, SOCK_STREAM, 0)' 'execve()'
echo 'openat(AT_FDCWD, 0x1000, O_RDONLY)' | selkie simulate -p web.sealed
selkie simulate -p pid:1234 'ptrace()'       what all filters of a process say together; needs CAP_SYS_ADMIN
`;

interface Options {
  readonly policy: string;
  readonly arch?: string;
  readonly json?: boolean;
  readonly jsonLines?: boolean;
}

/**
 * `selkie simulate -p FILTER [CALL...]`: one line per call, calls from standard input when none is given. Exit code 0 when every call
 * is permitted (allow or log), 1 otherwise. With `--json-lines`, calls and answers are JSON lines, as many as there are.
 */
export async function run(words: readonly string[], entry: CommandEntry): Promise<number> {
  const parser = commandParser(entry, EXAMPLE)
    .argument('[calls...]', 'calls; arguments left out are 0')
    .requiredOption(
      '-p, --policy <filter>',
      'a policy, a seccomp profile, a sealed binary, a raw BPF program, or pid:N',
    )
    .option('--arch <name>', `ABI that makes the call: ${ARCH_NAMES.join(', ')}`)
    .option('--json', 'one JSON object with every answer')
    .option('--json-lines', 'calls from standard input, one JSON object a line, and so the answers');
  const parsed = parseWords<Options>(parser, words);
  if (!parsed) return 0;
  const { policy, json } = parsed.options;
  const filter = loadFilter(policy);
  if (filter.paths) sayNote('paths: are not simulated: they decide after the filter, in openat, execve and the like');
  const arch = archNamed(parsed.options.arch) ?? filter.arch;
  if (parsed.options.jsonLines) return answerLines(filter, arch, policy, parsed.operands);
  const calls = parsed.operands.length > 0 ? parsed.operands : callLines(policy);
  const answers = calls.map((call) => {
    const { action, steps } = outcomeOf(filter.stack, parseCall(call, arch));
    return { call, arch, action: printReturn(action, arch), permitted: isPermitted(action), instructions: steps };
  });
  for (const note of filter.notes) say(`note: ${note}`);
  if (json) print(toJson({ answers }));
  else for (const answer of answers) print(`${answer.call} → ${answer.action}`);
  return answers.every((answer) => answer.permitted) ? 0 : 1;
}

/** In UTF-16 units. */
const OUTPUT_SIZE = 1 << 16;

/** Answers JSON lines as they come: there may be millions. */
function answerLines(filter: LoadedFilter, arch: ArchName, policy: string, operands: readonly string[]): number {
  if (operands.length > 0)
    throw new UsageError(
      'two_sources',
      'Cannot simulate: --json-lines reads calls from standard input: leave them out',
    );
  checkInputIsFree(policy);
  for (const note of filter.notes) say(`note: ${note}`);
  let permitted = true;
  let line = 0;
  let output = '';
  try {
    for (const text of inputLines(0)) {
      line += 1;
      if (text.trim() === '') continue;
      const call = parseJsonCall(text, arch);
      const { action, steps } = outcomeOf(filter.stack, call.data);
      permitted &&= isPermitted(action);
      output += `{"action":"${printReturn(action, call.arch)}","permitted":${isPermitted(action)},"instructions":${steps}}\n`;
      if (output.length < OUTPUT_SIZE) continue;
      print(output);
      output = '';
    }
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    throw new UsageError(error.code, `Cannot simulate line ${line}: ${error.problem}`, { cause: error });
  } finally {
    if (output !== '') print(output);
  }
  return permitted ? 0 : 1;
}

/** A process without filters may do everything. */
function outcomeOf(stack: readonly Program[], call: SeccompData): Outcome {
  return stack.length === 0 ? { action: SECCOMP_RET_ALLOW, steps: 0 } : interpretStack(stack, call);
}

function archNamed(name: string | undefined): ArchName | undefined {
  if (name === undefined) return undefined;
  const found = ARCH_NAMES.find((known) => known === name);
  if (!found) throw new UsageError('unknown_arch', `No ABI is called "${name}": one of ${ARCH_NAMES.join(', ')}`);
  return found;
}

/** In bytes. */
const LARGEST_INPUT = 1 << 26;

function checkInputIsFree(policy: string): void {
  if (policy === '-')
    throw new UsageError('no_calls', 'Cannot simulate: no call given, and standard input holds the filter');
}

/** Lines of standard input, unless that is where the filter came from. */
function callLines(policy: string): string[] {
  checkInputIsFree(policy);
  const lines = new TextDecoder().decode(readBounded(0, 'standard input', LARGEST_INPUT)).split('\n');
  return lines.map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'));
}

/** SECCOMP_RET_LOG and SECCOMP_RET_ALLOW let the call happen. */
function isPermitted(action: number): boolean {
  return action >>> 0 >= 0x7ffc_0000 && action >>> 0 < 0x8000_0000;
}
