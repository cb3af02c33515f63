/**
 * How much later does a static program start that is sealed, or under a launcher, and how does that compare with bwrap --seccomp, firejail and runc?
 *
 *     node build/bench/seal-start.js [ROUNDS]
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EM_X86_64 } from '../src/elf/format.ts';
import { launcherFile } from '../src/elf/launcher.ts';
import { LAUNCHER_FORMS, type LauncherForm } from '../src/elf/payload.ts';
import { sealElf } from '../src/elf/seal.ts';
import { MARK_ARGUMENT, SECCOMP_RET_USER_NOTIF } from '../src/facts/seccomp.ts';
import { syscallNames, syscallNumber } from '../src/facts/syscalls.ts';
import { denying, encode } from '../test/support/filters.ts';
import { missingTools } from '../test/support/tools.ts';

const OURS = ['sealed', 'exec', 'loader', 'simple'] as const;
type Ours = (typeof OURS)[number];

/** In microseconds; `...Added`: over the program, pairwise. */
type Medians = {
  readonly [kind in Ours | `${Ours}Added` | 'program' | 'attach' | 'bwrap' | 'firejail' | 'runc']: number;
};

const rounds = Number(process.argv[2] ?? 1000);
const source = fileURLToPath(new URL('../../bench/seal-start.c', import.meta.url));
// 30 calls that are tested one after the other: longer to attach than a tree of 78 instructions. All have names in old libseccomps, for runc.
const names = syscallNames('x86_64')
  .filter((name) => (syscallNumber('x86_64', name) ?? 0) >= 420)
  .slice(0, 30);
const filter = denying(...names.map((name) => syscallNumber('x86_64', name) ?? 0));
const sha256 = (data: Uint8Array): Uint8Array => createHash('sha256').update(data).digest();

/** A launcher of the same filter; other forms than `simple` have every execve answered. */
function launcher(form: LauncherForm): Uint8Array {
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
  for (const form of LAUNCHER_FORMS) writeFileSync(place(form), launcher(form), { mode: 0o755 });
  writeBundle(folder);
  return JSON.parse(execFileSync('./harness', [String(rounds)], { cwd: folder, encoding: 'utf8' })) as Medians;
}

/** What runc's own template says, with this program as the only file, and the filter. */
function writeBundle(folder: string): void {
  execFileSync('runc', ['spec'], { cwd: folder });
  const path = join(folder, 'config.json');
  const config = JSON.parse(readFileSync(path, 'utf8')) as { process: object; linux: object };
  const seccomp = { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names, action: 'SCMP_ACT_ERRNO' }] };
  const { process, linux } = config;
  const changed = { process: { ...process, terminal: false, args: ['/program'] }, linux: { ...linux, seccomp } };
  writeFileSync(path, JSON.stringify({ ...config, ...changed }));
  mkdirSync(join(folder, 'rootfs'));
  copyFileSync(join(folder, 'program'), join(folder, 'rootfs/program'));
}

function report(compiler: string, medians: Medians): void {
  const { program, attach, sealed } = medians;
  console.log(
    `${compiler} -static: medians of ${rounds} interleaved starts in microseconds, filter of ${filter.length / 8}`,
  );
  const line = (label: string, text: string): void => console.log(`  ${label.padEnd(20)} ${text}`);
  const ours = (label: string, kind: Ours, most: number): void => {
    const added = medians[`${kind}Added`];
    line(label, `${medians[kind]}: over program and attaching ${(added - attach).toFixed(1)} (at most ${most})`);
  };
  const peer = (label: string, took: number): void =>
    line(label, `${took}: over program ${(took - program).toFixed(1)}, ${(took / sealed).toFixed(1)} times sealed`);
  line('program', `${program}`);
  line('attaching alone', `${attach}`);
  ours('sealed', 'sealed', 150);
  ours('launcher', 'exec', 600);
  ours('launcher, for ld.so', 'loader', 600);
  ours('launcher --simple', 'simple', 450);
  peer('bwrap --seccomp', medians.bwrap);
  peer('firejail --seccomp', medians.firejail);
  peer('runc run', medians.runc);
}

// glibc asks cpuid at start, which is slow in virtual machines; musl does not.
for (const compiler of ['gcc', 'musl-gcc']) {
  if (missingTools(compiler, 'gcc', 'bwrap', 'firejail', 'runc') !== false) continue;
  const folder = mkdtempSync(join(tmpdir(), 'selkie-bench-'));
  try {
    report(compiler, measure(compiler, folder));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
