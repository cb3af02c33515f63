import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parsePolicy } from '../../src/policy/parse.ts';
import { printPolicy } from '../../src/policy/print.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';

for (const file of ['docs/policy.md', 'docs/paths.md'])
  test(`every policy in ${file} is one`, () => {
    const examples = [...readFileSync(file, 'utf8').matchAll(/^```yaml\n([\s\S]*?)^```$/gm)];
    assert.ok(examples.length > 0);
    for (const [, text = ''] of examples) {
      // What begins with paths: is a part.
      const whole = text.startsWith('paths:') ? `selkie: 1\ndefault: allow\nsyscalls: {}\n${text}` : text;
      const policy = parsePolicy(whole, { file });
      resolvePolicy(policy, { includeStart: true, ...(policy.arches ? {} : { arches: ['x86_64'] }) });
      assert.equal(printPolicy(parsePolicy(printPolicy(policy))), printPolicy(policy));
    }
  });
