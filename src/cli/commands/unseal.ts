import { unsealFile } from '../../apply/seal.ts';
import type { CommandEntry } from '../command.ts';
import { print, say, toJson } from '../output.ts';
import { commandParser, parseWords } from '../parser.ts';

const EXAMPLE = `
selkie unseal makeTheFolder.sealed -o makeTheFolder
selkie unseal makeTheFolder --in-place
`;

interface Options {
  readonly output?: string;
  readonly inPlace?: boolean;
  readonly force?: boolean;
  readonly json?: boolean;
}

/** `selkie unseal BIN [-o OUT | --in-place]` */
export async function run(words: readonly string[], entry: CommandEntry): Promise<number> {
  const parser = commandParser(entry, EXAMPLE)
    .argument('<bin>', 'a sealed ELF binary')
    .option('-o, --output <file>', 'where to write (default: BIN without .sealed)')
    .option('--in-place', 'replace the sealed file itself')
    .option('--force', 'replace an output that exists')
    .option('--json', 'one JSON object');
  const parsed = parseWords<Options>(parser, words);
  if (!parsed) return 0;
  const { output, inPlace, force, json } = parsed.options;
  const result = unsealFile({
    binary: parsed.operands[0] as string,
    ...(output === undefined ? {} : { output }),
    inPlace: inPlace === true,
    force: force === true,
  });
  if (json) print(toJson(result));
  else {
    print(`unsealed ${parsed.operands[0]} → ${result.path}`);
    for (const warning of result.warnings) say(`note: ${warning}`);
  }
  return 0;
}
