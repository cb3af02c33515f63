// Builds everything: build/ (sources and tests as JavaScript), dist/lib (the library, one module a file), dist/cli.js (the command line,
// one bundle with lazy chunks) and dist/help.txt (printed by bin/selkie without loading anything).
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { build } from 'esbuild';
import { root } from './sources.mjs';

const { version } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));
const tsc = `${root}node_modules/typescript/bin/tsc`;
const compile = (project) =>
  execFileSync(process.execPath, [tsc, '-p', `${root}${project}`], { cwd: root, stdio: ['ignore', 2, 2] });

for (const folder of ['build', 'dist']) rmSync(`${root}${folder}`, { recursive: true, force: true });
compile('tsconfig.json');
compile('tsconfig.lib.json');
await build({
  entryPoints: {
    cli: `${root}src/cli/main.ts`,
    worker: `${root}src/observe/worker.ts`,
    'trace-worker': `${root}src/observe/trace-worker.ts`,
    'explain-worker': `${root}src/explain/worker.ts`,
    'lift-worker': `${root}src/lift/worker.ts`,
  },
  outdir: `${root}dist`,
  chunkNames: 'chunks/[name]-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  external: ['@koromix/*', 'koffi'],
  define: { SELKIE_VERSION: JSON.stringify(version) },
  // Bundled CommonJS packages (commander) call require().
  banner: {
    js: "import { createRequire as selkieCreateRequire } from 'node:module';const require = selkieCreateRequire(import.meta.url);",
  },
  logLevel: 'warning',
});
const { topHelp } = await import(`${root}build/src/cli/commands.js`);
writeFileSync(`${root}dist/help.txt`, topHelp(version));
writeFileSync(`${root}build/.built`, '');
