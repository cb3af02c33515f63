// The checks beside the tests: lint and format, layers, generated data, names of the package.
import { spawnSync } from 'node:child_process';
import { root } from './sources.mjs';

const checks = [
  ['lint and format', ['node_modules/@biomejs/biome/bin/biome', 'check', '.']],
  ['layers', ['node_modules/dependency-cruiser/bin/dependency-cruise.mjs', '--config', 'scripts/layers.cjs', 'src']],
  ['facts are what the generator makes', ['scripts/facts/generate.mjs', '--check']],
  ['schema is what the sources say', ['scripts/make-schema.mjs', '--check']],
];

let failed = false;
for (const [name, words] of checks) {
  const { status, stdout, stderr } = spawnSync(process.execPath, words, { cwd: root, encoding: 'utf8' });
  console.log(`${status === 0 ? 'ok    ' : 'FAILED'} ${name}`);
  if (status !== 0) {
    failed = true;
    console.log(stdout + stderr);
  }
}
process.exitCode = failed ? 1 : 0;
