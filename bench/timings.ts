// What bench/attach.c and bench/calls.c measure, by name instead of by file.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { encodeProgram } from '../src/bpf/codec.ts';
import type { Program } from '../src/bpf/instruction.ts';

/** A call of x86-64 with its first arguments; what is not given is 0. */
export interface TimedCall {
  readonly nr: number;
  readonly args?: readonly bigint[];
}

export interface CallTime {
  /** Median of a call. */
  readonly ns: number;
  /** What the kernel answered, an errno negative. */
  readonly answer: number;
}

/** Builds a program of this folder. */
function build(folder: string, name: string): string {
  const file = join(folder, name);
  execFileSync('gcc', ['-O2', '-o', file, fileURLToPath(new URL(`../../bench/${name}.c`, import.meta.url))]);
  return file;
}

function writePrograms(folder: string, programs: readonly Program[]): string[] {
  return programs.map((program, index) => {
    const file = join(folder, `program-${index}`);
    writeFileSync(file, encodeProgram(program));
    return file;
  });
}

function run<T>(file: string, words: readonly string[]): T[] {
  const output = execFileSync(file, words, { encoding: 'utf8' });
  return output
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as T);
}

/** Median time of the seccomp(2) call for each program, in ns, interleaved. */
export function timeAttach(folder: string, programs: readonly Program[], rounds: number): readonly number[] {
  const words = [`${rounds}`, ...writePrograms(folder, programs)];
  return run<{ ns: number }>(build(folder, 'attach'), words).map(({ ns }) => ns);
}

/**
 * Times of each call without a filter and under each program, interleaved; programs must allow the calls or answer an errno.
 *
 * @param batch - calls of one timing
 * @returns a row without a filter, then one for each program
 */
export function timeCalls(
  folder: string,
  programs: readonly Program[],
  calls: readonly TimedCall[],
  { rounds, batch }: { readonly rounds: number; readonly batch: number },
): readonly (readonly CallTime[])[] {
  const printed = calls.map(({ nr, args = [] }) => [nr, ...args].join());
  const words = [`${rounds}`, `${batch}`, ...printed, '--', '-', ...writePrograms(folder, programs)];
  const times = run<CallTime>(build(folder, 'calls'), words);
  return Array.from({ length: programs.length + 1 }, (_, row) =>
    times.slice(row * calls.length, (row + 1) * calls.length),
  );
}
