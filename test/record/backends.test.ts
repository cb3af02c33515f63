import { chmodSync, existsSync } from 'node:fs';
import { testAgreement } from '../support/backend-agreement.ts';
import { temporaryFolder } from '../support/folders.ts';
import { cannotCompile, missingTools } from '../support/tools.ts';
import { buildVictims, I386 } from '../support/victims.ts';

// Some of the cases; all of them: test/slow/backends.test.ts.
const folder = temporaryFolder();
chmodSync(folder, 0o755);
const isRoot = process.getuid?.() === 0 && existsSync('/sys/kernel/btf/vmlinux');
const skip = isRoot ? missingTools('gcc', 'strace') : 'eBPF needs root and a kernel with BTF';

const CASES = [
  ...['plain', 'threads', 'thread_execs', 'tree', 'daemonises', 'clone_untraced', 'exec_chain', 'exec_fails'],
  ...['exec_memory', 'vforks', 'pid_namespace', 'raises', 'restarted', 'stops', 'int80_forks', 'x32_numbers'],
  ...['unknown_numbers', 'negative_number', 'filter_denies', 'strict_mode', 'traces', 'setuid_file', 'uring'],
];
const CASES_OF_I386 = ['plain', 'threads', 'tree', 'limits', 'filter_traces'];

function testSome(names: readonly string[], flags: readonly string[], arch: 'x86_64' | 'i386', label: string): void {
  const reason = skip || cannotCompile(...flags);
  const file = reason ? '' : buildVictims(folder, `victims-${arch}`, flags).file;
  for (const name of names) testAgreement({ file, arch, label, folder }, name, reason);
}

testSome(CASES, [], 'x86_64', '');
testSome(CASES_OF_I386, I386, 'i386', ', i386');
