import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { test } from 'node:test';

test('the tables are byte for byte what the generator writes', () => {
  const script = ['scripts/facts/generate.mjs', '../../../scripts/facts/generate.mjs'].find((path) => existsSync(path));
  assert.ok(script, 'run tests from the top of the repository');
  const result = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' });
  assert.equal(result.stderr, '');
  assert.equal(result.status, 0);
});
