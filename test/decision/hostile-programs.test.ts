// A sample of what test/slow/hostile-programs.test.ts asks: an answer that is right, or a clear error.
import assert from 'node:assert/strict';
import test from 'node:test';
import { SelkieError } from '../../src/base/errors.ts';
import type { Program } from '../../src/bpf/instruction.ts';
import type { Work } from '../support/bounded-run.ts';
import { hostilePrograms } from '../support/hostile-programs.ts';
import { doWork } from '../support/works.ts';

const WORKS: readonly Work[] = ['diagram', 'disasm', 'diff', 'prove', 'lift'];
const SAMPLE = ['the parity of the arguments', 'the parity of the number', 'JA behind JA', 'a jumble of tests'];

for (const name of SAMPLE)
  test(`${name}: answered, or given up by an error of ours`, () => {
    for (const work of WORKS)
      try {
        doWork(hostilePrograms()[name] as Program, work);
      } catch (error) {
        assert.ok(error instanceof SelkieError, String(error));
        assert.equal(error.code, 'cannot_tell');
      }
  });
