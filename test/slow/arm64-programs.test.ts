import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { basename, join } from 'node:path';
import { before, test } from 'node:test';
import { sealWithPolicy } from '../../src/apply/with-policy.ts';
import { readElf } from '../../src/elf/read.ts';
import type { Policy } from '../../src/policy/model.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { printPolicy } from '../../src/policy/print.ts';
import { ARM64, debianRoot, cannotEmulate as skip } from '../support/arm64.ts';
import { fileOf, goPrograms, INPUTS, PROGRAMS } from '../support/arm64-programs.ts';
import { temporaryFolder } from '../support/folders.ts';
import { type CaseResult, debianKernel, GuestFiles, runMachine } from '../support/machine.ts';
import { compileC } from '../support/programs.ts';
import { ROOT } from '../support/selkie.ts';
import { missingTools } from '../support/tools.ts';

/** Debian's programs for AArch64 and Go's, sealed on this machine: on Debian's arm64 kernel each answers as it did before, and is confined. */

const LEAST_PROGRAMS = 30;
/** Growth beyond section table, policy and program, in bytes: see seal-scale.test.ts. */
const MOST_GROWTH = 12 << 10;
const policy = (action: string, calls: string): Policy =>
  parsePolicy(`selkie: 1\nsets: 1\narches: [aarch64]\ndefault: allow\nsyscalls:\n  ${action}: [${calls}]\n`);
/** All but one call that no program makes in these runs; and all but those without which none can say anything. */
const POLICIES = { harmless: policy('errno(EPERM)', 'acct'), deadly: policy('kill_process', 'write, writev') } as const;
const SIGSYS = 31;

const folder = temporaryFolder();
let results: ReadonlyMap<string, CaseResult> = new Map();
const growths = new Map<string, number>();

function seal(file: string, name: string, place: keyof typeof POLICIES): string {
  const output = join(folder, `${name}.${place}`);
  const { size, originalSize, instructions } = sealWithPolicy({
    binary: file,
    policy: POLICIES[place],
    output,
    force: true,
  });
  const table = 64 * readElf(fs.readFileSync(file)).sections.length;
  growths.set(output, size - originalSize - table - printPolicy(POLICIES[place]).length - 8 * instructions);
  return output;
}

/** The program as it is, and each sealed file in its place. */
function addProgram(guest: GuestFiles, file: string, words: readonly string[], index: number): void {
  const [path = ''] = words;
  guest.addCase(`${index}`, ...words);
  for (const place of ['harmless', 'deadly'] as const) {
    const name = `${index}-${basename(path)}`;
    guest.addProgram(`${name}.${place}`, seal(file, name, place));
    guest.addCase(`${index}.${place}`, '/in-place', `/${name}.${place}`, ...words);
  }
}

const programs: (readonly string[])[] = [...PROGRAMS];
before(() => {
  if (skip !== false) return;
  const guest = new GuestFiles(join(folder, 'guest'), ARM64);
  const source = fs.readFileSync(join(ROOT, 'test/programs/in-place.c'), 'utf8');
  guest.addProgram('in-place', compileC(folder, 'in-place', source, ['-static'], ARM64.compiler()));
  for (const [name, text] of Object.entries(INPUTS)) fs.writeFileSync(join(guest.folder, name), text);
  const root = debianRoot();
  PROGRAMS.forEach((words, index) => {
    addProgram(guest, fileOf(root, words[0] ?? ''), words, index);
  });
  for (const file of missingTools('go') === false ? goPrograms(folder) : []) {
    guest.addProgram(basename(file), file);
    const words = [`/${basename(file)}`, 'one'];
    addProgram(guest, file, words, programs.push(words) - 1);
  }
  results = runMachine(debianKernel('bookworm', ARM64).path, guest.pack(), ARM64);
});

test('each program answers as before once it is sealed, and dies of its first write where that is refused', {
  skip,
}, (context) => {
  programs.forEach((words, index) => {
    const [original, harmless, deadly] = ['', '.harmless', '.deadly'].map((place) => results.get(`${index}${place}`));
    const what = words.join(' ');
    assert.ok(
      original && original.output !== '' && [0, 1, 7].includes(original.status),
      `${what}: ${JSON.stringify(original)}`,
    );
    assert.deepEqual([harmless?.status, harmless?.output], [original.status, original.output], what);
    assert.deepEqual([deadly?.status, deadly?.output], [128 + SIGSYS, ''], what);
  });
  assert.ok(PROGRAMS.length >= LEAST_PROGRAMS);
  context.diagnostic(`${PROGRAMS.length} programs of Debian, ${programs.length - PROGRAMS.length} of Go`);
});

test('none grows by more than 12 KiB besides section table, policy and program', { skip }, (context) => {
  const sizes = [...growths.values()].sort((a, b) => a - b);
  context.diagnostic(`growth: median ${sizes[sizes.length >> 1]}, most ${sizes.at(-1)} bytes`);
  for (const [file, growth] of growths) assert.ok(growth <= MOST_GROWTH, `${file}: ${growth} bytes`);
});
