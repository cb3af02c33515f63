import { inspectFile } from '../../apply/seal.ts';
import { print, toJson } from '../output.ts';
import { commandParser, parseWords } from '../parser.ts';

const EXAMPLE = 'selkie inspect makeTheFolder.sealed';

/** `selkie inspect BIN`: exit code 0 when it is sealed, 1 when it is a binary that is not. */
export async function run(words: readonly string[]): Promise<number> {
  const parser = commandParser('inspect', EXAMPLE)
    .argument('<bin>', 'a sealed ELF binary')
    .option('--json', 'one JSON object')
    .option('--policy', 'only the policy, as it was sealed');
  const parsed = parseWords<{ json?: boolean; policy?: boolean }>(parser, words);
  if (!parsed) return 0;
  const binary = parsed.operands[0] as string;
  const sealed = inspectFile(binary);
  if (!sealed) {
    if (parsed.options.json) print(toJson({ sealed: false }));
    else print(`${binary}: not sealed`);
    return 1;
  }
  const { program, policyText, ...facts } = sealed;
  if (parsed.options.policy) print(policyText);
  else if (parsed.options.json)
    print(toJson({ sealed: true, instructions: program.length / 8, ...facts, policy: policyText }));
  else {
    print(`${binary}: sealed, ${program.length / 8} instructions`);
    for (const [key, value] of Object.entries(facts)) {
      if (Array.isArray(value)) for (const line of value) print(`  ${key}: ${line}`);
      else print(`  ${key}: ${typeof value === 'bigint' ? `0x${value.toString(16)}` : value}`);
    }
    print(`\n${policyText}`);
  }
  return 0;
}
