import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { COMMANDS } from '../../src/cli/commands.ts';
import { scratchFolder } from '../support/folders.ts';
import { ROOT, selkie } from '../support/selkie.ts';

const FOREIGN = ['--help', '--own', '--its'];

for (const file of ['docs/cli.md', 'README.md'])
  test(`${file}: every command and option in it exists`, () => {
    const text = readFileSync(join(ROOT, file), 'utf8');
    const commands = [...text.matchAll(/^ *(?:\$ |\| )?`?selkie ([a-z]+)/gm)].map(([, name]) => name);
    assert.ok(commands.length > 2);
    const known = COMMANDS.map(({ name }) => name);
    for (const name of commands) assert.ok(known.includes(name as string), name);
    const help = known.map((name) => selkie([name, '--help']).stdout).join('\n');
    for (const [option] of text.matchAll(/`[^`]*`/g))
      for (const [word] of option.startsWith('`selkie') || option.startsWith('`--')
        ? option.matchAll(/--[a-z-]+/g)
        : [])
        assert.ok(FOREIGN.includes(word) || help.includes(word), `${word} in ${option}`);
  });

/** Those whose examples are whole sessions: files, commands and all that they print. */
const SESSIONS = ['compile', 'prove', 'diff', 'lift', 'lint', 'cost'];

test('docs/cli.md: examples print what commands print', (context) => {
  const cwd = scratchFolder(context);
  const sections = readFileSync(join(ROOT, 'docs/cli.md'), 'utf8').split(/^## /m);
  for (const name of SESSIONS) {
    const section = sections.find((each) => each.startsWith(`${name}\n`)) as string;
    const lines = [...section.matchAll(/^ {4}(.*\n)/gm)].map(([, line]) => line).join('');
    const steps = [...lines.matchAll(/^\$ (\w+) (.*)\n((?:(?!\$ ).*\n)*)/gm)];
    assert.ok(steps.length > 0, name);
    for (const [, command, words = '', text] of steps) {
      if (command === 'cat') {
        writeFileSync(join(cwd, words), text as string);
        continue;
      }
      assert.equal(command, 'selkie');
      const { stdout, stderr } = selkie(words.split(' '), { cwd });
      assert.equal(`${stdout}${stderr}`, text, words);
    }
  }
});
