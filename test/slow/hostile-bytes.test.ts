// The bar of hostile-programs.test.ts for what chance makes: random bytes, and random programs as long as the kernel takes them.
import assert from 'node:assert/strict';
import test from 'node:test';
import { ProgramError, SelkieError } from '../../src/base/errors.ts';
import { checkProgram } from '../../src/bpf/check.ts';
import { decodeProgram } from '../../src/bpf/codec.ts';
import type { Program } from '../../src/bpf/instruction.ts';
import type { Work } from '../support/bounded-run.ts';
import { randomBytes, randomLegalProgram } from '../support/random-bytes.ts';
import { seeded } from '../support/random-policy.ts';
import { doWork } from '../support/works.ts';

const WORKS: readonly Work[] = ['disasm', 'diff', 'diagram', 'prove', 'lift'];
/** They make the same diagram first. */
const LIKE_DIAGRAM: readonly Work[] = ['prove', 'lift'];
const MOST_SECONDS = 2;
const MOST_MEBIBYTES = 512;

interface Outcome {
  readonly outcome: string;
  /** Processor time. */
  readonly seconds: number;
}

/** What all works end in; anything but an answer or an error of ours is a fault. What could not be told once is not tried again. */
function outcomesOf(program: Program): readonly Outcome[] {
  let isTold = true;
  return WORKS.map((work) => {
    if (!isTold && LIKE_DIAGRAM.includes(work)) return { outcome: 'cannot_tell', seconds: 0 };
    const outcome = outcomeOf(program, work);
    if (work === 'diagram') isTold = outcome.outcome === 'answered';
    return outcome;
  });
}

function outcomeOf(program: Program, work: Work): Outcome {
  const begin = process.cpuUsage();
  let outcome = 'answered';
  try {
    doWork(program, work);
  } catch (error) {
    if (!(error instanceof SelkieError)) throw error;
    outcome = error.code;
  }
  const { user, system } = process.cpuUsage(begin);
  return { outcome, seconds: (user + system) / 1e6 };
}

class Counts {
  readonly byCode = new Map<string, number>();
  slowest = 0;

  add(code: string): void {
    this.byCode.set(code, (this.byCode.get(code) ?? 0) + 1);
  }

  addAll(program: Program, name: string): void {
    for (const { outcome, seconds } of outcomesOf(program)) {
      assert.ok(outcome === 'answered' || outcome === 'cannot_tell', `${name}: ${outcome}`);
      this.add(outcome);
      this.slowest = Math.max(this.slowest, seconds);
    }
  }

  /** Checks the bounds and says what was counted. */
  tell(): void {
    console.log(JSON.stringify({ ...Object.fromEntries(this.byCode), slowest: this.slowest }));
    assert.ok(this.slowest < MOST_SECONDS, `${this.slowest} s`);
    const { maxRSS } = process.resourceUsage();
    assert.ok(maxRSS < 1024 * MOST_MEBIBYTES, `${maxRSS} KiB`);
  }
}

test('10,000 random byte strings: refused with a place, or answered', () => {
  const counts = new Counts();
  for (let seed = 1; seed <= 10_000; seed += 1) {
    let program: Program;
    try {
      program = decodeProgram(randomBytes(seeded(seed)));
      checkProgram(program);
    } catch (error) {
      assert.ok(error instanceof ProgramError, String(error));
      counts.add(error.code);
      continue;
    }
    counts.addAll(program, `seed ${seed}`);
  }
  counts.tell();
  assert.ok(counts.byCode.size >= 4 && (counts.byCode.get('answered') ?? 0) >= 1000);
});

test('60 random legal programs of 4,096 instructions: answered or given up, each within the limits', () => {
  const counts = new Counts();
  for (let seed = 1; seed <= 60; seed += 1) {
    const program = randomLegalProgram(seeded(seed), { length: 4096, isSimple: seed % 2 === 0 });
    checkProgram(program);
    counts.addAll(program, `seed ${seed}`);
  }
  counts.tell();
});
