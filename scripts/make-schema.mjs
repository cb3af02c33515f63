// Writes schema/policy.schema.json from src/policy/schema.ts. With --check: only says whether the file is current.
// Needs the build of tsc (build/).
import { readFileSync, writeFileSync } from 'node:fs';
import { toJsonSchema } from '@valibot/to-json-schema';
import { policySchema } from '../build/src/policy/schema.js';

const file = new URL('../schema/policy.schema.json', import.meta.url);
const text = `${JSON.stringify(toJsonSchema(policySchema, { target: 'draft-07' }), null, 2)}\n`;

if (process.argv.includes('--check')) {
  if (readFileSync(file, 'utf8') !== text) {
    console.error('schema/policy.schema.json is not current: run node scripts/make-schema.mjs');
    process.exitCode = 1;
  }
} else {
  writeFileSync(file, text);
}
