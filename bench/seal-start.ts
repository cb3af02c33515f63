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

interface Medians {
  readonly plain: number;
  readonly sealed: number;
  readonly bwrap: number;
  readonly attach: number;
  readonly added: number;
}

const rounds = Number(process.argv[2] ?? 1000);
const source = fileURLToPath(new URL('../../bench/seal-start.c', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'selkie-bench-'));
try {
  const [harness, program, sealed, filter] = ['harness', 'program', 'sealed', 'filter'].map((name) =>
    join(folder, name),
  ) as [string, string, string, string];
  writeFileSync(`${program}.c`, 'int main(void) { return 0; }\n');
  execFileSync('gcc', ['-O2', '-o', harness, source]);
  execFileSync('gcc', ['-O2', '-static', '-o', program, `${program}.c`]);
  // 30 numbers that are tested one after the other: longer to attach than a tree of 78 instructions.
  const bytes = denying(...Array.from({ length: 30 }, (_, index) => 400 + index));
  const sha256 = (data: Uint8Array): Uint8Array => createHash('sha256').update(data).digest();
  writeFileSync(filter, bytes);
  writeFileSync(sealed, sealElf(readFileSync(program), { program: bytes, policyText: '', sha256 }).bytes, {
    mode: 0o755,
  });
  const output = execFileSync(harness, [String(rounds), program, sealed, filter], { encoding: 'utf8' });
  const medians = JSON.parse(output) as Medians;
  const over = medians.added - medians.attach;
  console.log(`medians of ${rounds} interleaved starts, in microseconds, filter of ${bytes.length / 8} instructions`);
  console.log(`  program              ${medians.plain}`);
  console.log(`  sealed               ${medians.sealed} (added, pairwise: ${medians.added})`);
  console.log(`  attaching alone      ${medians.attach}`);
  console.log(`  sealed over attach   ${over.toFixed(1)} (at most 150)`);
  console.log(
    `  bwrap --seccomp      ${medians.bwrap} (${(medians.bwrap / medians.sealed).toFixed(1)} times sealed, at least 4)`,
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
