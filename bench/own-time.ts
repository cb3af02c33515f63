// The programs whose own time recorders are measured by, timed from inside the observation: bench/timed.c.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildGo } from '../test/support/go.ts';

/** How often one observation runs it, and the command. */
export type TimedProgram = readonly [runs: number, ...command: string[]];

/** In ms: wall and processor time of each run; and how long all of it took. */
export interface Times {
  readonly wall: readonly number[];
  readonly processor: readonly number[];
  readonly whole: number;
}

export const SELKIE: string = fileURLToPath(new URL('../../bin/selkie', import.meta.url));

export const folder: string = mkdtempSync(join(tmpdir(), 'selkie-bench-'));
process.on('exit', () => rmSync(folder, { recursive: true }));

/** Builds a C program of this folder. */
export function buildC(name: string): string {
  const file = join(folder, name);
  execFileSync('gcc', ['-O2', '-o', file, fileURLToPath(new URL(`../../bench/${name}.c`, import.meta.url))]);
  return file;
}

function writeSource(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

const timer = buildC('timed');
const source = writeSource('hello.c', '#include <stdio.h>\nint main(void) { puts("hello"); return 0; }\n');
const hello = join(folder, 'hello');
const goSource = writeSource('hello.go', 'package main\n\nimport "fmt"\n\nfunc main() { fmt.Println("hello") }\n');
execFileSync('go', ['build', '-o', hello, goSource]);
const server = join(folder, 'server');
buildGo('go', 'go-http', server);

export const PROGRAMS: { readonly [name: string]: TimedProgram } = {
  'dd 10k×2': [20, 'dd', 'if=/dev/zero', 'of=/dev/null', 'bs=1', 'count=10000', 'status=none'],
  'gcc -O1': [5, 'gcc', '-O1', '-o', join(folder, 'compiled'), source],
  'Go hello': [20, hello],
  'Go HTTP 2000': [3, server, '-requests', '2000'],
  'node -e 0': [5, 'node', '-e', '0'],
  find: [5, 'find', '/usr/lib/python3'],
};

/** Runs a command to its end, its output thrown away. @returns in ms */
export function wholeMs([program = '', ...words]: readonly string[]): number {
  const begin = process.hrtime.bigint();
  execFileSync(program, words, { stdio: 'ignore' });
  return Number(process.hrtime.bigint() - begin) / 1e6;
}

/** Runs a program under a prefix. */
export function timeMs(prefix: readonly string[], [runs, ...command]: TimedProgram): Times {
  const times = join(folder, 'times');
  rmSync(times, { force: true });
  const whole = wholeMs([...prefix, timer, String(runs), times, ...command]);
  const lines = readFileSync(times, 'utf8').trimEnd().split('\n');
  const [wall = [], processor = []] = [0, 1].map((column) =>
    lines.map((line) => Number(line.split(' ')[column]) / 1e6),
  );
  return { wall, processor, whole };
}

export const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
