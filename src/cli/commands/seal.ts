import { sealWithPolicy } from '../../apply/with-policy.ts';
import { loadPolicy } from '../../load/filter.ts';
import type { CommandEntry } from '../command.ts';
import { print, say, sayNote, toJson } from '../output.ts';
import { commandParser, parseWords } from '../parser.ts';

const EXAMPLE = `
selkie record ./makeTheFolder                          first: see what it does
selkie seal -p makeTheFolder.yaml makeTheFolder        writes makeTheFolder.sealed
selkie seal -p makeTheFolder.yaml makeTheFolder --in-place
selkie inspect makeTheFolder.sealed
`;

interface Options {
  readonly policy: string;
  readonly output?: string;
  readonly inPlace?: boolean;
  readonly force?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** `selkie seal -p POLICY BIN [-o OUT | --in-place]` */
export async function run(words: readonly string[], entry: CommandEntry): Promise<number> {
  const parser = commandParser(entry, EXAMPLE)
    .argument('<bin>', 'an ELF executable for x86-64 or AArch64')
    .requiredOption('-p, --policy <file>', 'the policy (start: is left out: the filter takes effect after it)')
    .option('-o, --output <file>', 'where to write (default: BIN.sealed)')
    .option('--in-place', 'replace the binary itself')
    .option('--force', 'replace an output that exists, and a filter that BIN holds already')
    .option('--json', 'one JSON object')
    .option('-q, --quiet', 'say nothing');
  const parsed = parseWords<Options>(parser, words);
  if (!parsed) return 0;
  const { policy, output, inPlace, force, json, quiet } = parsed.options;
  const binary = parsed.operands[0] as string;
  const result = sealWithPolicy({
    binary,
    policy: loadPolicy(policy, quiet ? {} : { onNote: sayNote }),
    ...(output === undefined ? {} : { output }),
    inPlace: inPlace === true,
    force: force === true,
  });
  if (json) print(toJson(result));
  else if (!quiet) {
    const growth = result.size - result.originalSize;
    print(`sealed ${binary} → ${result.path} (${result.instructions} instructions, ${growth} bytes more)`);
    for (const line of [...result.notes, ...result.warnings]) say(`note: ${line}`);
  }
  return 0;
}
