import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { COMMANDS } from '../../src/cli/commands.ts';
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
