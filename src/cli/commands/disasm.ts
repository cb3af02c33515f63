import { disassemble } from '../../bpf/disassemble.ts';
import { loadFilter } from '../../load/filter.ts';
import type { CommandEntry } from '../command.ts';
import { print, say, toJson } from '../output.ts';
import { commandParser, parseWords } from '../parser.ts';

const EXAMPLE = `
selkie disasm makeTheFolder.yaml        the program that the policy compiles to
selkie disasm makeTheFolder.sealed      the program inside a sealed binary
selkie disasm prog.bpf                  a raw program (struct sock_filter records)
selkie disasm pid:1234                  every program that is in force on a process; needs CAP_SYS_ADMIN
`;

/** `selkie disasm FILTER` */
export async function run(words: readonly string[], entry: CommandEntry): Promise<number> {
  const parser = commandParser(entry, EXAMPLE)
    .argument(
      '<filter>',
      'a policy, a seccomp profile, a sealed binary, a raw BPF program, pid:N, or - for standard input',
    )
    .option('--json', 'one JSON object: the instructions; for a process those of every program, newest first');
  const parsed = parseWords<{ json?: boolean }>(parser, words);
  if (!parsed) return 0;
  const filter = loadFilter(parsed.operands[0] as string);
  const { kind, arch, stack } = filter;
  if (parsed.options.json) {
    const [program] = stack;
    print(toJson(kind === 'process' ? { kind, arch, programs: stack } : { kind, arch, instructions: program }));
    return 0;
  }
  for (const note of filter.notes) say(`note: ${note}`);
  stack.forEach((program, index) => {
    if (kind === 'process') print(heading(index, stack.length, program.length));
    print(disassemble(program, { arch }));
  });
  return 0;
}

function heading(index: number, count: number, length: number): string {
  const age = count === 1 ? '' : index === 0 ? ', the newest' : index === count - 1 ? ', the oldest' : '';
  return `${index === 0 ? '' : '\n'}filter ${index + 1} of ${count}${age}: ${length} instructions`;
}
