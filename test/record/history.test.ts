import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseEvidence, parseHistory, printEvidence } from '../../src/record/evidence.ts';
import { addRun, CONFIDENCE, type History, newRunBound } from '../../src/record/history.ts';

const historyOf = (runs: readonly boolean[]): History =>
  runs.reduce<History | undefined>((history, isNew) => addRun(history, isNew), undefined) as History;

test('addRun() counts the quiet runs behind each that brought something new', () => {
  assert.deepEqual(historyOf([true, false, false, true, true, false]), { runs: 6, quiet: [2, 0, 1] });
  assert.deepEqual(historyOf([false]), { runs: 1, quiet: [0] });
});

test('newRunBound() says nothing after one run, is the rule of three with half the error after quiet ones, and never rises', () => {
  assert.equal(newRunBound(historyOf([true])), 1);
  const quiet = newRunBound({ runs: 11, quiet: [10] });
  assert.ok(Math.abs(quiet - (1 - 0.025 ** (1 / 10))) < 1e-12);
  assert.equal(newRunBound({ runs: 12, quiet: [10, 0] }), quiet);
  assert.ok(newRunBound({ runs: 16, quiet: [0, 15] }) > newRunBound({ runs: 16, quiet: [15] }));
});

/** A generator of its own, so that a failure repeats: mulberry32. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Rare calls of an invented program: each run makes the i-th with the i-th chance. */
const PROGRAMS: Readonly<Record<string, readonly number[]>> = {
  'one call in a fifth of the runs': [0.2],
  'one call in one of twenty runs': [0.05],
  'many rare calls': Array.from({ length: 30 }, () => 0.02),
  'ever rarer calls': Array.from({ length: 12 }, (_, index) => 0.5 ** (index + 1)),
};

/** Whether the bound was too low at any moment of 60 runs: whoever stops at the best moment is cheated then. */
function isEverWrong(chances: readonly number[], next: () => number): boolean {
  const seen = new Set<number>();
  let history: History | undefined;
  for (let run = 0; run < 60; run += 1) {
    const fresh = chances.flatMap((chance, call) => (next() < chance && !seen.has(call) ? [call] : []));
    for (const call of fresh) seen.add(call);
    history = addRun(history, run === 0 || fresh.length > 0);
    const truth = 1 - chances.reduce((none, chance, call) => (seen.has(call) ? none : none * (1 - chance)), 1);
    if (truth > newRunBound(history)) return true;
  }
  return false;
}

for (const [name, chances] of Object.entries(PROGRAMS))
  test(`newRunBound() holds at every moment in ${100 * CONFIDENCE} % of recordings: ${name}`, () => {
    const next = random(20);
    let wrong = 0;
    for (let recording = 0; recording < 4000; recording += 1) wrong += isEverWrong(chances, next) ? 1 : 0;
    // 5 % of 4,000 are 200, and their deviation is 14.
    assert.ok(wrong <= 240, `${wrong} of 4000`);
  });

const LINE = {
  exe: '/bin/x',
  arch: 'x86_64',
  syscall: 'read',
  nr: 0,
  phase: 'program',
  condition: null,
  runs: 7,
  count: 9,
  site: { address: 1n },
} as const;

test('the runs stand in the first line of the evidence, and come back; evidence without them is read as runs of which nothing is known', () => {
  const history = { runs: 9, quiet: [3, 2] };
  const text = printEvidence([LINE], history);
  assert.deepEqual(parseHistory(text, 'f'), history);
  assert.deepEqual(parseEvidence(text, 'f'), [LINE]);
  assert.deepEqual(parseHistory(printEvidence([LINE]), 'f'), { runs: 7, quiet: [0] });
  assert.equal(parseHistory('', 'f'), undefined);
});

test('parseHistory() refuses what is no history, with file and line', () => {
  const text = '{"runs":1,"quiet":[-1]}\n';
  assert.throws(() => parseHistory(text, 'f'), {
    code: 'bad_evidence',
    message: /^f:1: Cannot read evidence: quiet\.0/,
  });
});
