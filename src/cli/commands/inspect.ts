import { readLauncher } from '../../apply/launcher.ts';
import { readSource } from '../../apply/replace-file.ts';
import { inspectFile } from '../../apply/seal.ts';
import { machineName } from '../../elf/format.ts';
import type { Launcher } from '../../elf/launcher.ts';
import { decodePaths } from '../../elf/paths-table.ts';
import type { LauncherForm } from '../../elf/payload.ts';
import { listsOf } from '../../facts/landlock.ts';
import { parsePolicy } from '../../policy/parse.ts';
import type { CommandEntry } from '../command.ts';
import { print, toJson } from '../output.ts';
import { commandParser, parseWords } from '../parser.ts';

/** How long a launcher keeps `start:` in force. */
export const FORM_TEXTS: { readonly [K in LauncherForm]: string } = {
  simple: 'the whole time',
  exec: 'until the command is executed',
  loader: "until the command's entry",
};

const EXAMPLE = 'selkie inspect makeTheFolder.sealed';

/** `selkie inspect BIN`: exit code 0 when it is sealed or a launcher, 1 when it is another binary. */
export async function run(words: readonly string[], entry: CommandEntry): Promise<number> {
  const parser = commandParser(entry, EXAMPLE)
    .argument('<bin>', 'a sealed ELF binary, or a launcher')
    .option('--json', 'one JSON object')
    .option('--policy', 'only the policy, as it was sealed');
  const parsed = parseWords<{ json?: boolean; policy?: boolean }>(parser, words);
  if (!parsed) return 0;
  const binary = parsed.operands[0] as string;
  const sealed = inspectFile(binary);
  if (!sealed) {
    const launcher = readLauncher(readSource(binary).bytes);
    if (launcher) return show(launcher, binary, parsed.options);
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
    print(
      toJson({
        sealed: true,
        ...facts,
        ...pathFields(sealed.paths),
        warnings: sealed.warnings,
        policy: sealed.policyText,
      }),
    );
  else {
    print(`${binary}: sealed`);
    for (const [key, value] of Object.entries(facts)) print(`  ${key.padEnd(15)} ${value}`);
    sayService(sealed.policyText);
    sayPaths(sealed.paths);
    for (const warning of sealed.warnings) print(`  warning: ${warning}`);
    print(`\n${sealed.policyText}`);
  }
  return 0;
}

function show(
  launcher: Launcher & { readonly intact: boolean },
  path: string,
  { json, policy }: { json?: boolean; policy?: boolean },
): number {
  const { form, program, intact, policyText } = launcher;
  const facts = {
    machine: machineName(launcher.machine),
    instructions: program.length / 8,
    intact,
    start: FORM_TEXTS[form],
    policySha256: hex(launcher.policyDigest),
  };
  if (policy) print(policyText);
  else if (json)
    print(toJson({ sealed: false, launcher: true, ...facts, form, ...pathFields(launcher.paths), policy: policyText }));
  else {
    print(`${path}: launcher`);
    for (const [key, value] of Object.entries(facts)) print(`  ${key.padEnd(15)} ${value}`);
    sayService(policyText);
    sayPaths(launcher.paths);
    if (!intact) print('  warning: its bytes are not what this version of Selkie writes');
    print(`\n${policyText}`);
  }
  return 0;
}

function sayService(policyText: string): void {
  if (parsePolicy(policyText).service)
    print('  service: in force only where the program narrows itself: selkie convert --to go, or confine');
}

/** What the code itself holds, not what the policy's text says. */
function sayPaths(table: Uint8Array | undefined): void {
  if (!table) return;
  const { abi, rules } = decodePaths(table);
  print(`  paths:          Landlock ABI ${abi} or newer`);
  for (const { path, rights, isOptional } of rules)
    print(`    ${listsOf(rights).join(', ').padEnd(21)} ${path}${isOptional ? ' (optional)' : ''}`);
}

function pathFields(table: Uint8Array | undefined): object {
  if (!table) return {};
  const { abi, rules } = decodePaths(table);
  const fields = rules.map(({ path, rights, isOptional }) => ({ path, lists: listsOf(rights), optional: isOptional }));
  return { paths: { abi, rules: fields } };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
