import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PolicyError } from '../../src/base/errors.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';
import { BAD_POLICIES } from './bad-policies.ts';

for (const { claim, text, code, at, message } of BAD_POLICIES) {
  test(`a bad policy: ${claim}`, () => {
    const begin = process.cpuUsage();
    assert.throws(
      () => resolvePolicy(parsePolicy(text, { file: 'bad.yaml' }), { includeStart: true }),
      (error: unknown) => {
        assert.ok(error instanceof PolicyError, String(error));
        const place = `${error.place?.line}:${error.place?.column}`;
        assert.deepEqual({ code: error.code, at: place }, { code, at }, error.message);
        assert.match(error.problem, message);
        assert.ok(error.message.startsWith(`bad.yaml:${at}: `));
        assert.ok(error.message.length < 400 && !error.message.includes('\n'), 'one line that a person can read');
        return true;
      },
    );
    // Processor time: a busy machine must not fail the test.
    const { user, system } = process.cpuUsage(begin);
    assert.ok(user + system < 1_000_000, `within a second, not ${(user + system) / 1e6} s`);
  });
}

test('there are at least 80 kinds of bad policies', () => assert.ok(BAD_POLICIES.length >= 80));
