// The bar: every backend, and strace -f, see the same calls of every case of test/programs/victims, or the difference is explained (docs/backends.md).
import { chmodSync, existsSync } from 'node:fs';
import { testAgreement } from '../support/backend-agreement.ts';
import { temporaryFolder } from '../support/folders.ts';
import { cannotCompile, missingTools } from '../support/tools.ts';
import { buildVictims, I386 } from '../support/victims.ts';

const folder = temporaryFolder();
// A case executes its file as uid 65534.
chmodSync(folder, 0o755);
const isRoot = process.getuid?.() === 0 && existsSync('/sys/kernel/btf/vmlinux');
const skip = isRoot ? missingTools('gcc', 'strace') : 'eBPF needs root and a kernel with BTF';

const BUILDS = [
  { label: '', arch: 'x86_64', flags: [] },
  { label: ', static', arch: 'x86_64', flags: ['-static'] },
  { label: ', i386', arch: 'i386', flags: I386 },
  { label: ', i386, static', arch: 'i386', flags: [...I386, '-static'] },
] as const;

for (const [index, { label, arch, flags }] of BUILDS.entries()) {
  if (skip || cannotCompile(...flags)) continue;
  const { file, names } = buildVictims(folder, `victims-${index}`, flags);
  for (const name of names) testAgreement({ file, arch, label, folder }, name, skip);
}
