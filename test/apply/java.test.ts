import assert from 'node:assert/strict';
import { readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { sealWithPolicy } from '../../src/apply/with-policy.ts';
import { findExecutable } from '../../src/kernel/command.ts';
import { loadPolicy } from '../../src/load/filter.ts';
import { temporaryFolder } from '../support/folders.ts';
import { buildJava, placeOfCopy } from '../support/java.ts';
import { runCommand, selkie } from '../support/selkie.ts';
import { missingTools } from '../support/tools.ts';

const skip = missingTools('java', 'javac', 'jar');
const folder = temporaryFolder();
const policy = join(folder, 'java.yaml');

/** Exit code of each way that was not recorded, with the options of the machine that take other ways than the recorded ones. */
const WAYS: readonly (readonly [string, number, ...string[]])[] = [
  ['memory', 0, '-XX:+UseSerialGC'],
  ['memory', 0, '-XX:+UseZGC'],
  ['collect', 0, '-XX:+UseParallelGC'],
  ['exceptions', 0],
  ['loading', 0],
  ['full', 1],
  ['uncaught', 1],
  ['hooks', 6],
  ['terminated', 143],
];

if (skip === false) {
  const command = ['java', '-Xmx128m', '-cp', buildJava(folder), 'Stress', 'timers'];
  const recorded = selkie(['record', '--json', '-o', policy, ...command]);
  const binary = realpathSync(findExecutable('java'));

  test('record knows Java behind its links, and adds its floor', () => {
    assert.equal(recorded.status, 0, recorded.stderr);
    assert.equal(JSON.parse(recorded.stderr).runtime, 'Java with glibc');
    assert.match(readFileSync(policy, 'utf8'), /"@glibc"\n.*"@java"/);
  });

  const words = ([way, , ...options]: (typeof WAYS)[number]): readonly string[] => [
    ...options,
    ...command.slice(1, -1),
    way,
  ];

  for (const way of WAYS)
    test(`recorded once, run: ${way.join(' ')}`, () => {
      const { status, stderr } = selkie(['run', '-p', policy, 'java', ...words(way)]);
      assert.equal(status, way[1], stderr);
    });

  test('recorded once, sealed where its libraries are linked: the same ways; elsewhere a note says what is missing', () => {
    const output = placeOfCopy(binary, join(folder, 'home'));
    const { path, warnings } = sealWithPolicy({ binary, policy: loadPolicy(policy), output });
    assert.match(warnings.join('\n'), /beside its own file \(\$ORIGIN\)/);
    for (const way of WAYS) {
      const { status, stderr } = runCommand([path, ...words(way)]);
      assert.equal(status, way[1], `${way[0]}: ${stderr}`);
    }
  });
} else test('Java', { skip }, () => {});
