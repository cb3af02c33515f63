// The bar: whatever a program is, each command ends in an answer that is right or in a clear error, within 2 s of processor time and 512 MiB.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { ProgramError, SelkieError } from '../../src/base/errors.ts';
import { checkProgram } from '../../src/bpf/check.ts';
import { decodeProgram, encodeProgram } from '../../src/bpf/codec.ts';
import type { Program } from '../../src/bpf/instruction.ts';
import { measured, type Work } from '../support/bounded-run.ts';
import { scratchFolder } from '../support/folders.ts';
import { hostilePrograms } from '../support/hostile-programs.ts';
import { randomBytes, randomLegalProgram } from '../support/random-bytes.ts';
import { seeded } from '../support/random-policy.ts';
import { selkie } from '../support/selkie.ts';
import { doWork } from '../support/works.ts';

const WORKS: readonly Work[] = ['diagram', 'disasm', 'diff', 'prove', 'lift'];
const MOST_SECONDS = 2;
const MOST_MEBIBYTES = 512;

const worst = { seconds: 0, mebibytes: 0, slowest: '', largest: '' };
const outcomes = new Map<string, number>();

const count = (outcome: string): void => {
  outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
};

for (const [name, program] of Object.entries(hostilePrograms()))
  test(`${program.length} instructions, ${name}: an answer or a clear error within ${MOST_SECONDS} s and ${MOST_MEBIBYTES} MiB`, () => {
    checkProgram(program);
    for (const work of WORKS) {
      const { outcome, seconds, mebibytes } = measured(name, work);
      count(outcome);
      if (seconds > worst.seconds) Object.assign(worst, { seconds, slowest: `${work} of ${name}` });
      if (mebibytes > worst.mebibytes) Object.assign(worst, { mebibytes, largest: `${work} of ${name}` });
      assert.ok(['answered', 'cannot_tell'].includes(outcome), outcome);
      assert.ok(seconds < MOST_SECONDS, `${work}: ${seconds} s`);
      assert.ok(mebibytes < MOST_MEBIBYTES, `${work}: ${mebibytes} MiB`);
    }
  });

after(() => console.log(JSON.stringify({ ...worst, outcomes: Object.fromEntries(outcomes) })));

/** What all works end in; anything but an answer or an error of ours is a fault. */
function outcomesOf(program: Program): readonly string[] {
  return WORKS.map((work) => {
    try {
      doWork(program, work);
      return 'answered';
    } catch (error) {
      if (!(error instanceof SelkieError)) throw error;
      return error.code;
    }
  });
}

test('10,000 random byte strings: refused with a place, or answered', () => {
  const codes = new Map<string, number>();
  const begin = process.cpuUsage();
  for (let seed = 1; seed <= 10_000; seed += 1) {
    const random = seeded(seed);
    let program: Program;
    try {
      program = decodeProgram(randomBytes(random));
      checkProgram(program);
    } catch (error) {
      assert.ok(error instanceof ProgramError, String(error));
      codes.set(error.code, (codes.get(error.code) ?? 0) + 1);
      continue;
    }
    for (const outcome of outcomesOf(program)) {
      assert.ok(outcome === 'answered' || outcome === 'cannot_tell', `seed ${seed}: ${outcome}`);
      codes.set(outcome, (codes.get(outcome) ?? 0) + 1);
    }
  }
  const { user, system } = process.cpuUsage(begin);
  console.log(JSON.stringify({ ...Object.fromEntries(codes), seconds: (user + system) / 1e6 }));
  assert.ok(codes.size >= 4 && (codes.get('answered') ?? 0) >= 1000, JSON.stringify([...codes]));
});

test('60 random legal programs of 4,096 instructions: answered or given up, each within the limits', () => {
  const codes = new Map<string, number>();
  let slowest = 0;
  for (let seed = 1; seed <= 60; seed += 1) {
    const program = randomLegalProgram(seeded(seed), { length: 4096, isSimple: seed % 2 === 0 });
    checkProgram(program);
    for (const work of WORKS) {
      const begin = process.cpuUsage();
      try {
        doWork(program, work);
        codes.set('answered', (codes.get('answered') ?? 0) + 1);
      } catch (error) {
        assert.ok(error instanceof SelkieError, String(error));
        codes.set(error.code, (codes.get(error.code) ?? 0) + 1);
      }
      const { user, system } = process.cpuUsage(begin);
      slowest = Math.max(slowest, (user + system) / 1e6);
    }
  }
  console.log(JSON.stringify({ ...Object.fromEntries(codes), slowest }));
  assert.ok(slowest < MOST_SECONDS, `${slowest} s`);
  assert.ok(process.resourceUsage().maxRSS < 1024 * MOST_MEBIBYTES, `${process.resourceUsage().maxRSS} KiB`);
});

const SAMPLE = [
  'multiplications of arguments',
  'hidden weighted bit',
  'a permutation of 16 bits',
  'ranges of 4,999 numbers',
  'the parity of everything',
  'a return of its own for each number',
  'JA behind JA',
];

test('the commands: an answer, or one line that says what was too much', (context) => {
  const folder = scratchFolder(context);
  const file = join(folder, 'program.bpf');
  const allow = join(folder, 'allow.bpf');
  writeFileSync(allow, encodeProgram([{ code: 6, jt: 0, jf: 0, k: 0x7fff_0000 }]));
  for (const name of SAMPLE) {
    writeFileSync(file, encodeProgram(hostilePrograms()[name] as Program));
    for (const words of [
      ['disasm', file],
      ['diff', file, allow],
      ['lift', file],
      ['prove', '-p', allow, file],
    ]) {
      const { status, signal, stderr } = selkie(words, { maxBuffer: 1 << 28 });
      assert.equal(signal, null);
      assert.ok(status === 0 || status === 1 || status === 2, `${words[0]} of ${name}: ${status} ${stderr}`);
      if (status === 2) assert.match(stderr, /^selkie [a-z]+: Cannot tell, because [^\n]*\n$/);
    }
  }
});
