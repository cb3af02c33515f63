// The bar: whatever a program is, each command ends in an answer that is right or in a clear error, within 2 s of processor time and 512 MiB.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { checkProgram } from '../../src/bpf/check.ts';
import { encodeProgram } from '../../src/bpf/codec.ts';
import type { Program } from '../../src/bpf/instruction.ts';
import { measured, type Work } from '../support/bounded-run.ts';
import { scratchFolder } from '../support/folders.ts';
import { hostilePrograms } from '../support/hostile-programs.ts';
import { selkie } from '../support/selkie.ts';

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
