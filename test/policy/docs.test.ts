import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parsePolicy } from '../../src/policy/parse.ts';
import { printPolicy } from '../../src/policy/print.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';

test('every policy in docs/policy.md is one', () => {
  const examples = [...readFileSync('docs/policy.md', 'utf8').matchAll(/^```yaml\n([\s\S]*?)^```$/gm)];
  assert.ok(examples.length > 0);
  for (const [, text] of examples) {
    const policy = parsePolicy(text as string, { file: 'docs/policy.md' });
    resolvePolicy(policy, { includeStart: true });
    assert.equal(printPolicy(parsePolicy(printPolicy(policy))), printPolicy(policy));
  }
});
