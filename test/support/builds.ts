import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { missingTools } from './tools.ts';

const sources = fileURLToPath(new URL('../../../test/programs/', import.meta.url));

/** A way to build a test program. */
export interface Build {
  readonly name: string;
  readonly tool: string;
  readonly flags: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

/** Every kind of C binary that sealing must carry. */
export const C_BUILDS: readonly Build[] = [
  { name: 'static', tool: 'gcc', flags: ['-static'] },
  { name: 'static stripped', tool: 'gcc', flags: ['-static', '-s'] },
  { name: 'static PIE', tool: 'gcc', flags: ['-static-pie'] },
  { name: 'dynamic PIE', tool: 'gcc', flags: ['-fPIE', '-pie'] },
  { name: 'dynamic', tool: 'gcc', flags: ['-no-pie'] },
  { name: 'dynamic without build id', tool: 'gcc', flags: ['-no-pie', '-Wl,--build-id=none'] },
  { name: 'static musl', tool: 'musl-gcc', flags: ['-static'] },
  { name: 'static musl stripped', tool: 'musl-gcc', flags: ['-static', '-s'] },
  { name: 'dynamic musl', tool: 'musl-gcc', flags: ['-fPIE', '-pie'] },
];

export const GO_BUILDS: readonly Build[] = [
  { name: 'Go static', tool: 'go', flags: [], environment: { CGO_ENABLED: '0' } },
  { name: 'Go PIE', tool: 'go', flags: ['-buildmode=pie'], environment: { CGO_ENABLED: '0' } },
  { name: 'Go stripped', tool: 'go', flags: ['-ldflags=-s -w'], environment: { CGO_ENABLED: '0' } },
];

const built = new Map<string, Uint8Array>();

/** Builds test/programs/SOURCE in `folder`, once, and returns its path and bytes. */
export function buildProgram(build: Build, source: string, folder: string): { path: string; bytes: Uint8Array } {
  const path = join(folder, `${source}-${build.name}`.replace(/\W/g, '-'));
  const known = built.get(path);
  if (known !== undefined) return { path, bytes: known };
  const input = join(sources, source);
  const words = build.tool === 'go' ? ['build', ...build.flags] : [...build.flags, '-O1'];
  const env = { ...process.env, GO111MODULE: 'off', ...build.environment };
  execFileSync(build.tool, [...words, '-o', path, input], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  const bytes = readFileSync(path);
  built.set(path, bytes);
  return { path, bytes };
}

/** Reason to skip what needs this build. */
export function cannotBuild(build: Build): false | string {
  return missingTools(build.tool);
}
