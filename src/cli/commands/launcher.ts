import { writeLauncher } from '../../apply/launcher.ts';
import { UsageError } from '../../base/errors.ts';
import { ARCH_NAMES, type ArchName } from '../../facts/arches.ts';
import { NATIVE_ARCH } from '../../kernel/native.ts';
import { loadPolicy } from '../../load/filter.ts';
import type { CommandEntry } from '../command.ts';
import { print, say, sayNote, toJson } from '../output.ts';
import { commandParser, parseWords } from '../parser.ts';
import { FORM_TEXTS } from './inspect.ts';

const EXAMPLE = `
selkie launcher -p web.yaml -o confine          then, with nothing of Selkie: ./confine node server.js
selkie launcher -p web.yaml -o confine --simple    no helper: start: stays in force
selkie inspect confine
`;

interface Options {
  readonly policy: string;
  readonly output: string;
  readonly simple?: boolean;
  readonly arch?: string;
  readonly force?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** `selkie launcher -p POLICY -o FILE`: a program that confines itself and becomes its arguments. */
export async function run(words: readonly string[], entry: CommandEntry): Promise<number> {
  const parser = commandParser(entry, EXAMPLE)
    .requiredOption('-p, --policy <file>', 'the policy; its start: is in force until the entry of the command')
    .requiredOption('-o, --output <file>', 'where to write the launcher')
    .option('--simple', 'keep start: in force the whole time: no helper, no user notification')
    .option('--arch <abi>', 'x86_64 or aarch64 (default: of this machine)')
    .option('--force', 'replace a file that exists')
    .option('--json', 'one JSON object')
    .option('-q, --quiet', 'say nothing');
  const parsed = parseWords<Options>(parser, words);
  if (!parsed) return 0;
  const { policy, output, simple, arch = NATIVE_ARCH, force, json, quiet } = parsed.options;
  if (!ARCH_NAMES.includes(arch as ArchName))
    throw new UsageError('bad_arch', `Cannot make a launcher for "${arch}": wanted x86_64 or aarch64`);
  const result = writeLauncher({
    policy: loadPolicy(policy, quiet ? {} : { onNote: sayNote }),
    arch: arch as ArchName,
    output,
    force: force === true,
    simple: simple === true,
  });
  if (json) print(toJson(result));
  else if (!quiet) {
    print(
      `wrote ${output} (${result.arch}, ${result.instructions} instructions, ${result.size} bytes): start: is in force ${FORM_TEXTS[result.form]}`,
    );
    for (const note of result.notes) say(`note: ${note}`);
  }
  return 0;
}
