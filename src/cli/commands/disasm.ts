import { disassemble } from '../../bpf/disassemble.ts';
import { loadFilter } from '../../load/filter.ts';
import type { CommandEntry } from '../command.ts';
import { print, say, toJson } from '../output.ts';
import { commandParser, parseWords } from '../parser.ts';

const EXAMPLE = `
selkie disasm makeTheFolder.yaml        the program that the policy compiles to
selkie disasm makeTheFolder.sealed      the program inside a sealed binary
selkie disasm prog.bpf                  a raw program (struct sock_filter records)
`;

/** `selkie disasm FILTER` */
export async function run(words: readonly string[], entry: CommandEntry): Promise<number> {
  const parser = commandParser(entry, EXAMPLE)
    .argument('<filter>', 'a policy, a seccomp profile, a sealed binary, a raw BPF program, or - for standard input')
    .option('--json', 'one JSON object: the instructions');
  const parsed = parseWords<{ json?: boolean }>(parser, words);
  if (!parsed) return 0;
  const filter = loadFilter(parsed.operands[0] as string);
  if (parsed.options.json) {
    print(toJson({ kind: filter.kind, arch: filter.arch, instructions: filter.program }));
    return 0;
  }
  for (const note of filter.notes) say(`note: ${note}`);
  print(disassemble(filter.program, { arch: filter.arch }));
  return 0;
}
