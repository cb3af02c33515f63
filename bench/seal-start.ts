/**
 * How much later does a static program start that is sealed, or under a launcher, and how does that compare with bwrap --seccomp and firejail?
 *
 *     node build/bench/seal-start.js [ROUNDS]
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EM_X86_64 } from '../src/elf/format.ts';
import { launcherFile } from '../src/elf/launcher.ts';
import { sealElf } from '../src/elf/seal.ts';
import { MARK_ARGUMENT, SECCOMP_RET_USER_NOTIF } from '../src/facts/seccomp.ts';
import { denying, encode } from '../test/support/filters.ts';
import { missingTools } from '../test/support/tools.ts';

interface Medians {
  readonly plain: number;
  readonly sealed: number;
  readonly launcher: number;
  readonly simple: number;
  readonly bwrap: number;
  readonly firejail: number;
  readonly attach: number;
  /** Over the program, pairwise. */
  readonly sealedAdded: number;
  readonly launcherAdded: number;
  readonly simpleAdded: number;
}

const rounds = Number(process.argv[2] ?? 1000);
const source = fileURLToPath(new URL('../../bench/seal-start.c', import.meta.url));
// 30 numbers that are tested one after the other: longer to attach than a tree of 78 instructions.
const numbers = Array.from({ length: 30 }, (_, index) => 400 + index);
const filter = denying(...numbers);
const sha256 = (data: Uint8Array): Uint8Array => createHash('sha256').update(data).digest();

/** A launcher of the same filter; `exec` has every execve answered. */
function launcher(form: 'exec' | 'simple'): Uint8Array {
  const NOTICE = { execve: 59, seccomp: 317, loadArgument: 16 + 8, isEqual: 0x15, load: 0x20, ret: 6 };
  const { execve, seccomp, loadArgument, isEqual, load, ret } = NOTICE;
  const notice = encode([
    [load, 0, 0, 0],
    [isEqual, 4, 0, execve],
    [isEqual, 0, 4, seccomp],
    [load, 0, 0, loadArgument],
    [isEqual, 1, 0, MARK_ARGUMENT],
    [0x05, 0, 0, 1],
    [ret, 0, 0, SECCOMP_RET_USER_NOTIF],
  ]);
  const program = form === 'simple' ? filter : Uint8Array.from([...notice, ...filter]);
  return launcherFile({ machine: EM_X86_64, form, program, policyText: '' }, sha256);
}

/** Seals an empty program of this compiler and compares. */
function measure(compiler: string, folder: string): Medians {
  const place = (name: string): string => join(folder, name);
  writeFileSync(place('program.c'), 'int main(void) { return 0; }\n');
  execFileSync('gcc', ['-O2', '-static', '-o', place('harness'), source]);
  execFileSync(compiler, ['-O2', '-static', '-o', place('program'), place('program.c')]);
  writeFileSync(place('filter'), filter);
  const sealed = sealElf(readFileSync(place('program')), { program: filter, policyText: '', sha256 });
  writeFileSync(place('sealed'), sealed.bytes, { mode: 0o755 });
  for (const form of ['exec', 'simple'] as const) writeFileSync(place(form), launcher(form), { mode: 0o755 });
  const words = [String(rounds), ...['program', 'sealed', 'filter', 'exec', 'simple'].map(place)];
  return JSON.parse(execFileSync(place('harness'), words, { encoding: 'utf8' })) as Medians;
}

function report(compiler: string, medians: Medians): void {
  const over = (added: number): string => (added - medians.attach).toFixed(1);
  console.log(
    `${compiler} -static: medians of ${rounds} interleaved starts in microseconds, filter of ${filter.length / 8}`,
  );
  const line = (label: string, text: string): void => console.log(`  ${label.padEnd(20)} ${text}`);
  line('program', `${medians.plain}`);
  line('attaching alone', `${medians.attach}`);
  line('sealed', `${medians.sealed}: over program and attaching ${over(medians.sealedAdded)} (at most 150)`);
  line('launcher', `${medians.launcher}: over program and attaching ${over(medians.launcherAdded)} (at most 600)`);
  line('launcher --simple', `${medians.simple}: over program and attaching ${over(medians.simpleAdded)} (at most 450)`);
  line('bwrap --seccomp', `${medians.bwrap} (${(medians.bwrap / medians.sealed).toFixed(1)} times sealed, at least 4)`);
  line('firejail --seccomp', `${medians.firejail}`);
}

// glibc asks cpuid at start, which is slow in virtual machines; musl does not.
for (const compiler of ['gcc', 'musl-gcc']) {
  if (missingTools(compiler, 'gcc', 'bwrap', 'firejail') !== false) continue;
  const folder = mkdtempSync(join(tmpdir(), 'selkie-bench-'));
  try {
    report(compiler, measure(compiler, folder));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
