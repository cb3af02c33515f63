// The process of `measured`: bounded-child.js NAME WORK.
import { SelkieError } from '../../src/base/errors.ts';
import type { Program } from '../../src/bpf/instruction.ts';
import type { Taken, Work } from './bounded-run.ts';
import { hostilePrograms } from './hostile-programs.ts';
import { doWork } from './works.ts';

const [, , name = '', work = ''] = process.argv;
const program = hostilePrograms()[name] as Program;
const begin = process.cpuUsage();
let outcome = 'answered';
try {
  doWork(program, work as Work);
} catch (error) {
  if (!(error instanceof SelkieError)) throw error;
  outcome = error.code;
}
const { user, system } = process.cpuUsage(begin);
const taken: Taken = { outcome, seconds: (user + system) / 1e6, mebibytes: process.resourceUsage().maxRSS / 1024 };
console.log(JSON.stringify(taken));
