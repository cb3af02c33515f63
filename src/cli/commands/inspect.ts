import { inspectFile } from '../../apply/seal.ts';
import { parsePolicy } from '../../policy/parse.ts';
import type { CommandEntry } from '../command.ts';
import { print, toJson } from '../output.ts';
import { commandParser, parseWords } from '../parser.ts';

const EXAMPLE = 'selkie inspect makeTheFolder.sealed';

/** `selkie inspect BIN`: exit code 0 when it is sealed, 1 when it is a binary that is not. */
export async function run(words: readonly string[], entry: CommandEntry): Promise<number> {
  const parser = commandParser(entry, EXAMPLE)
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
  const facts = {
    instructions: sealed.program.length / 8,
    intact: sealed.intact,
    policySha256: hex(sealed.policyDigest),
    originalSha256: hex(sealed.originalDigest),
    originalSize: sealed.originalSize,
    originalEntry: `0x${sealed.originalEntry.toString(16)}`,
    layout: sealed.layout,
  };
  if (parsed.options.policy) print(sealed.policyText);
  else if (parsed.options.json)
    print(toJson({ sealed: true, ...facts, warnings: sealed.warnings, policy: sealed.policyText }));
  else {
    print(`${binary}: sealed`);
    for (const [key, value] of Object.entries(facts)) print(`  ${key.padEnd(15)} ${value}`);
    if (parsePolicy(sealed.policyText).service)
      print('  service: in force only where the program narrows itself: selkie convert --to go, or confine');
    for (const warning of sealed.warnings) print(`  warning: ${warning}`);
    print(`\n${sealed.policyText}`);
  }
  return 0;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
