import { UsageError } from '../../base/errors.ts';
import { didYouMean } from '../../base/nearest.ts';
import type { SetMember } from '../../policy/sets/named-set.ts';
import { setMembers, setNames } from '../../policy/sets.ts';
import type { CommandEntry } from '../command.ts';
import { print, toJson } from '../output.ts';
import { commandParser, parseWords } from '../parser.ts';

const EXAMPLE = `
selkie sets             every set and what is in it
selkie sets @go         the calls of one set, with the reason for each
`;

/** `selkie sets [@NAME]` */
export async function run(words: readonly string[], entry: CommandEntry): Promise<number> {
  const parser = commandParser(entry, EXAMPLE)
    .argument('[name]', 'a set, such as @go')
    .option('--json', 'one JSON object');
  const parsed = parseWords<{ json?: boolean }>(parser, words);
  if (!parsed) return 0;
  const wanted = parsed.operands[0];
  const names = wanted === undefined ? setNames(1) : [checkedName(wanted)];
  if (parsed.options.json) {
    print(toJson(Object.fromEntries(names.map((name) => [`@${name}`, membersOf(name)]))));
  } else if (wanted === undefined) {
    for (const name of names)
      print(
        `@${name}: ${membersOf(name)
          .map((member) => member.name)
          .join(' ')}`,
      );
  } else {
    const members = membersOf(names[0] as string);
    const width = Math.max(...members.map((member) => member.name.length));
    for (const member of members) print(`${member.name.padEnd(width)}  ${member.reason}`);
  }
  return 0;
}

function checkedName(word: string): string {
  const name = word.replace(/^@/, '');
  if (setNames(1).includes(name)) return name;
  throw new UsageError('unknown_set', `No set is called ${JSON.stringify(word)}${didYouMean(name, setNames(1))}`);
}

function membersOf(name: string): readonly SetMember[] {
  return setMembers(1, name) ?? [];
}
