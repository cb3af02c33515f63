/**
 * How much later does a sealed static program start, and how does that compare with bwrap --seccomp?
 *
 *     node build/bench/seal-start.js [ROUNDS]
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sealElf } from '../src/elf/seal.ts';
import { denying } from '../test/support/filters.ts';
import { missingTools } from '../test/support/tools.ts';

interface Medians {
  readonly plain: number;
  readonly sealed: number;
  readonly bwrap: number;
  readonly attach: number;
  readonly added: number;
}

const rounds = Number(process.argv[2] ?? 1000);
const source = fileURLToPath(new URL('../../bench/seal-start.c', import.meta.url));
// 30 numbers that are tested one after the other: longer to attach than a tree of 78 instructions.
const filter = denying(...Array.from({ length: 30 }, (_, index) => 400 + index));
const sha256 = (data: Uint8Array): Uint8Array => createHash('sha256').update(data).digest();

/** Seals an empty program of this compiler and compares. */
function measure(compiler: string, folder: string): Medians {
  const place = (name: string): string => join(folder, name);
  writeFileSync(place('program.c'), 'int main(void) { return 0; }\n');
  execFileSync('gcc', ['-O2', '-static', '-o', place('harness'), source]);
  execFileSync(compiler, ['-O2', '-static', '-o', place('program'), place('program.c')]);
  writeFileSync(place('filter'), filter);
  const sealed = sealElf(readFileSync(place('program')), { program: filter, policyText: '', sha256 });
  writeFileSync(place('sealed'), sealed.bytes, { mode: 0o755 });
  const words = [String(rounds), place('program'), place('sealed'), place('filter')];
  return JSON.parse(execFileSync(place('harness'), words, { encoding: 'utf8' })) as Medians;
}

function report(compiler: string, medians: Medians): void {
  const over = medians.added - medians.attach;
  console.log(
    `${compiler} -static: medians of ${rounds} interleaved starts in microseconds, filter of ${filter.length / 8}`,
  );
  console.log(`  program              ${medians.plain}`);
  console.log(`  sealed               ${medians.sealed} (added, pairwise: ${medians.added})`);
  console.log(`  attaching alone      ${medians.attach}`);
  console.log(`  sealed over attach   ${over.toFixed(1)} (at most 150)`);
  console.log(
    `  bwrap --seccomp      ${medians.bwrap} (${(medians.bwrap / medians.sealed).toFixed(1)} times sealed, at least 4)`,
  );
}

// glibc asks cpuid at start, which is slow in virtual machines; musl does not.
for (const compiler of ['gcc', 'musl-gcc']) {
  if (missingTools(compiler, 'gcc', 'bwrap') !== false) continue;
  const folder = mkdtempSync(join(tmpdir(), 'selkie-bench-'));
  try {
    report(compiler, measure(compiler, folder));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
