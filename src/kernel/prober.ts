import { constants } from 'node:os';
import { PROBE_SLOT, type Probe, proberElf } from '../elf/stubs/prober-x86-64.ts';
import { errnoName } from './libc.ts';
import type { TrialFiles } from './trial-files.ts';

/** Asking the kernel in processes of their own: nothing that a probe does can change or end this one. */

/** How a probe went. */
export interface ProbeAnswer {
  /** Results of the steps that were done, as the kernel gives them: -errno where refused. */
  readonly results: readonly number[];
  /** The signal that ended it, SIGSYS where a filter did. */
  readonly signal: string | undefined;
  /** Exit code; undefined where a signal ended it, or where it could not be started. */
  readonly code: number | undefined;
}

const NOT_ASKED: ProbeAnswer = { results: [], signal: undefined, code: undefined };

const SIGNAL_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(constants.signals).map(([name, number]) => [number, name]),
);

/** Answers to named probes; one that was not reached has no results. */
export class Answers<Name extends string> {
  readonly #answers: ReadonlyMap<string, ProbeAnswer>;

  constructor(answers: ReadonlyMap<string, ProbeAnswer>) {
    this.#answers = answers;
  }

  of(name: Name): ProbeAnswer {
    return this.#answers.get(name) ?? NOT_ASKED;
  }
}

/** Makes all probes, one after the other, each in a child of a program of ours. */
export function askProbes<Name extends string>(
  files: TrialFiles,
  probes: Readonly<Record<Name, Probe>>,
): Answers<Name> {
  const path = files.add('prober', proberElf(Object.values<Probe>(probes)));
  return readAnswers(probes, files.start(path, []).output);
}

/** Reads what the prober wrote; it may have been ended early. */
export function readAnswers<Name extends string>(probes: Readonly<Record<Name, Probe>>, output: Buffer): Answers<Name> {
  const answers = new Map<string, ProbeAnswer>();
  Object.keys(probes).forEach((name, index) => {
    const slot = output.subarray(index * PROBE_SLOT, (index + 1) * PROBE_SLOT);
    if (slot.length === PROBE_SLOT) answers.set(name, readSlot(slot));
  });
  return new Answers(answers);
}

function readSlot(slot: Buffer): ProbeAnswer {
  const status = Number(slot.readBigInt64LE(0));
  const count = Number(slot.readBigUInt64LE(8));
  const results = Array.from({ length: count }, (_, index) => Number(slot.readBigInt64LE(16 + 8 * index)));
  // A negative status: the child could not be made.
  if (status < 0) return { results: [status], signal: undefined, code: undefined };
  const signal = status & 0x7f;
  if (signal !== 0) return { results, signal: SIGNAL_NAMES.get(signal) ?? `signal ${signal}`, code: undefined };
  return { results, signal: undefined, code: (status >> 8) & 0xff };
}

/** `EPERM`, `killed by SIGSYS`, `not asked`: what stands in the way at a step. */
export function refusalOf(answer: ProbeAnswer, step: number): string {
  const result = answer.results[step];
  if (result !== undefined) return result < 0 ? errnoName(-result) : `answered ${result}`;
  const last = answer.results.at(-1);
  if (answer.signal !== undefined) return `killed by ${answer.signal}`;
  return last !== undefined && last < 0 ? errnoName(-last) : 'not asked';
}
