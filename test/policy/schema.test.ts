import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Ajv } from 'ajv';
import fc from 'fast-check';
import { parse } from 'yaml';
import { ACTION_PATTERN, parseAction, printAction } from '../../src/policy/action.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { printPolicy } from '../../src/policy/print.ts';
import { BAD_POLICIES } from './bad-policies.ts';
import { policyModel } from './policies.ts';

const schema = JSON.parse(readFileSync('schema/policy.schema.json', 'utf8'));
const validate = new Ajv({ strict: false }).compile(schema);

test('schema/policy.schema.json is current', () => {
  const { status, stderr } = spawnSync(process.execPath, ['scripts/make-schema.mjs', '--check'], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
});

test('the schema accepts whatever printPolicy() writes', () => {
  const property = fc.property(policyModel, (model) => {
    assert.ok(validate(parse(printPolicy(model))), JSON.stringify(validate.errors));
  });
  fc.assert(property, { numRuns: 500 });
});

const WRONG_SHAPES = [
  'misspelled key',
  'version 2',
  'edition 7',
  'no default',
  'no version',
  'an unknown ABI',
  'a list as a call',
  'a list under only',
  'an unknown ABI under only',
  'an unknown action under an ABI',
];

for (const shape of WRONG_SHAPES) {
  test(`the schema refuses ${shape}, as the parser does`, () => {
    const found = BAD_POLICIES.find(({ claim }) => claim.includes(shape));
    assert.ok(found);
    assert.equal(validate(parse(found.text)), false);
    assert.throws(() => parsePolicy(found.text));
  });
}

test('ACTION_PATTERN accepts every action that parseAction() accepts', () => {
  for (const text of [
    'allow',
    'errno(EPERM)',
    'errno(0x26)',
    'errno(0o46)',
    'trap(0)',
    'trace(65535)',
    'return_zero',
  ]) {
    assert.match(text, ACTION_PATTERN);
    assert.equal(printAction(parseAction(printAction(parseAction(text)))), printAction(parseAction(text)));
  }
  for (const text of ['kill', 'errno', 'errno()', 'errno(EPERM', 'trap(x)', 'allow(1)', ' allow', 'errno( EPERM )']) {
    assert.doesNotMatch(text, ACTION_PATTERN);
    assert.throws(() => parseAction(text));
  }
});
