import type { CommandEntry } from '../command.ts';
import { examine } from '../doctor/examine.ts';
import { examinationText } from '../doctor/text.ts';
import { verdictsOf } from '../doctor/verdicts.ts';
import { print, toJson } from '../output.ts';
import { commandParser, parseWords } from '../parser.ts';

const EXAMPLE = `
selkie doctor            on the machine, in the container or on the dyno where Selkie shall work
selkie doctor --json     the same for a script; exit code 0 when every command works here, 1 when one does not
`;

/** `selkie doctor`: exit code 0 when everything works here, 1 when something does not. */
export async function run(words: readonly string[], entry: CommandEntry): Promise<number> {
  const parser = commandParser(entry, EXAMPLE).option('--json', 'one JSON object').allowExcessArguments(false);
  const parsed = parseWords<{ json?: boolean }>(parser, words);
  if (!parsed) return 0;
  const examination = await examine();
  const commands = verdictsOf(examination);
  if (parsed.options.json) {
    const { place, mode, noNewPrivs, features, refused, view, tracing, paths } = examination;
    print(toJson({ place: { ...place, mode, noNewPrivs }, features, refused, view, commands, tracing, paths }));
  } else print(examinationText(examination, commands));
  const code = commands.every(({ works }) => works) ? 0 : 1;
  // A trial that hangs would keep this process; its guard ends with us.
  if (examination.isStuck) process.exit(code);
  return code;
}
