import { createHash } from 'node:crypto';
import { existsSync, realpathSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { writeFiles } from '../../apply/write-files.ts';
import { UsageError } from '../../base/errors.ts';
import type { FormatEntry, FormatOutput } from '../../formats/format.ts';
import { FORMATS } from '../../formats/registry.ts';
import { loadPolicy } from '../../load/filter.ts';
import { printPolicy } from '../../policy/print.ts';
import type { CommandEntry } from '../command.ts';
import { print, say, toJson } from '../output.ts';
import { commandParser, parseWords } from '../parser.ts';
import { profileOptions, refuseProfileOptions } from '../profile-options.ts';

const EXAMPLE = `
selkie convert makeTheFolder.yaml --to go -o .          writes selkie_linux_amd64.go and selkie_other.go; then, in main:
                                                            if err := ConfineSelkie(); err != nil { log.Fatal(err) }
selkie convert seccomp.json --to policy                prints the policy that means what this profile of Docker, podman or OCI does
selkie convert seccomp.json --to policy --caps SYS_ADMIN,SYS_PTRACE --kernel 6.1 --arch aarch64
selkie convert web.yaml --to go --package confine --func Confine -o confine --force
`;

type Options = Readonly<Record<string, string | boolean | undefined>> & {
  readonly to: string;
  readonly output?: string;
  readonly caps?: string;
  readonly kernel?: string;
  readonly arch?: string;
};

/** `selkie convert POLICY --to FORMAT [-o DIR]` */
export async function run(words: readonly string[], entry: CommandEntry): Promise<number> {
  const parser = commandParser(entry, EXAMPLE)
    .argument('<policy>', 'a policy or a seccomp profile (OCI, Docker, containers-common), or - for standard input')
    .requiredOption('--to <format>', FORMATS.map(({ name, about }) => `${name}: ${about}`).join('; '))
    .option('-o, --output <folder>', 'where to write (default: .)')
    .option('--caps <list>', "profiles: the container's capabilities (default: Docker's default ones)")
    .option('--kernel <release>', 'profiles: the release they are read for (default: this one)')
    .option('--arch <abi>', 'profiles: the native ABI (default: that of this machine)')
    .option('--force', 'replace files that exist')
    .option('--json', 'one JSON object')
    .option('-q, --quiet', 'say nothing');
  for (const { name, options } of FORMATS)
    for (const option of options)
      parser.option(`--${option.name} <name>`, `${name}: ${option.about} (default: ${option.default})`);
  const parsed = parseWords<Options>(parser, words);
  if (!parsed) return 0;
  const { options } = parsed;
  const source = parsed.operands[0] as string;
  const format = formatNamed(options.to);
  const chosen = chosenOptions(format, options);
  const reading: string[] = [];
  const profile = profileOptions(options);
  const policy = loadPolicy(source, { profile, onNote: (note) => reading.push(note) });
  if (reading.length === 0) refuseProfileOptions(profile);
  const folder = options.output ?? '.';
  const result = (await format.load()).write({
    policy,
    policyDigest: createHash('sha256').update(printPolicy(policy)).digest('hex'),
    ...(source === '-' ? {} : { policyPath: relative(realFolder(folder), realpathSync(source)) }),
    options: chosen,
  });
  if (format.printed && options.output === undefined) return printed(result, [...reading, ...result.notes], options);
  const paths = writeFiles(folder, result.files, options.force === true);
  const stale = result.absent.map((name) => join(folder, name)).filter((path) => existsSync(path));
  const notes = [
    ...reading,
    ...result.notes,
    ...stale.map((path) => `"${path}" is left from another policy: remove it`),
  ];
  if (options.json) print(toJson({ files: paths, notes }));
  else if (!options.quiet) {
    for (const path of paths) print(`wrote ${path}`);
    for (const note of notes) say(`note: ${note}`);
  }
  return 0;
}

function printed({ files }: FormatOutput, notes: readonly string[], { json, quiet }: Options): number {
  const text = files.map((file) => file.text).join('');
  print(json ? toJson({ text, notes }) : text);
  if (!json && !quiet) for (const note of notes) say(`note: ${note}`);
  return 0;
}

/** The folder without symbolic links as far as it exists, so that `..` in a path from it leads where it says. */
function realFolder(folder: string): string {
  return existsSync(folder) ? realpathSync(folder) : resolve(folder);
}

function formatNamed(name: string): FormatEntry {
  const found = FORMATS.find((format) => format.name === name);
  if (found) return found;
  const known = FORMATS.map((format) => format.name).join(', ');
  throw new UsageError('unknown_format', `Cannot convert to "${name}": wanted one of ${known}`);
}

function chosenOptions(format: FormatEntry, options: Options): Readonly<Record<string, string>> {
  const own = new Set(format.options.map(({ name }) => name));
  const foreign = FORMATS.flatMap((other) => other.options).find(
    ({ name }) => options[name] !== undefined && !own.has(name),
  );
  if (foreign) throw new UsageError('bad_usage', `--${foreign.name} is not an option of --to ${format.name}`);
  return Object.fromEntries(
    format.options.map((option) => [option.name, String(options[option.name] ?? option.default)]),
  );
}
