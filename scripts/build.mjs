// Builds everything: build/ (sources and tests as JavaScript), dist/lib (the library, one module a file) and dist/cli.js (the
// command line, one bundle with lazy chunks).
import { execFileSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { build } from 'esbuild';
import { root } from './sources.mjs';

const tsc = `${root}node_modules/typescript/bin/tsc`;
const compile = (project) => execFileSync(process.execPath, [tsc, '-p', `${root}${project}`], { cwd: root, stdio: ['ignore', 2, 2] });

rmSync(`${root}dist`, { recursive: true, force: true });
if (!existsSync(`${root}build/src`)) rmSync(`${root}build`, { recursive: true, force: true });
compile('tsconfig.json');
compile('tsconfig.lib.json');
await build({
  entryPoints: { cli: `${root}src/cli/main.ts` },
  outdir: `${root}dist`,
  chunkNames: 'chunks/[name]-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  external: ['@koromix/*'],
  // Bundled CommonJS packages (commander) call require().
  banner: { js: "import { createRequire as selkieCreateRequire } from 'node:module';const require = selkieCreateRequire(import.meta.url);" },
  logLevel: 'warning',
});
writeFileSync(`${root}build/.built`, '');
