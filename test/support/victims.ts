import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { record } from '../../src/record/record.ts';
import { ROOT } from './selkie.ts';

/** The programs of test/programs/victims, and what each recorder sees of them. */

export type Recorder = 'notify' | 'ptrace' | 'ebpf' | 'strace';
/** With strace last: it tells numbers alone. */
export const RECORDERS: readonly Recorder[] = ['notify', 'ptrace', 'ebpf', 'strace'];

const SOURCES = ['main', 'processes', 'signals', 'others'].map((name) =>
  join(ROOT, 'test/programs/victims', `${name}.c`),
);
/** Headers of the kernel, which gcc looks for elsewhere where gcc-multilib is not installed. */
export const I386: readonly string[] = ['-m32', '-idirafter', '/usr/include/x86_64-linux-gnu'];

export interface Victims {
  readonly file: string;
  /** Of its cases. */
  readonly names: readonly string[];
}

/** Compiles them. */
export function buildVictims(folder: string, name: string, flags: readonly string[] = []): Victims {
  const file = join(folder, name);
  execFileSync('gcc', ['-O1', '-w', '-pthread', ...flags, '-o', file, ...SOURCES]);
  // For the one that executes a file with the setuid bit.
  copyFileSync(file, `${file}.setuid`);
  chmodSync(`${file}.setuid`, 0o4755);
  const names = execFileSync(file, { encoding: 'utf8' }).trim().split('\n');
  return { file, names };
}

/** Calls by what tells them apart. */
export interface Sight {
  /** `phase executable ABI number`, and how often; of strace the number alone. */
  readonly kinds: ReadonlyMap<string, number>;
  readonly numbers: ReadonlySet<number>;
}

/** Runs a command under a recorder. */
export async function see(recorder: Recorder, command: readonly string[], folder: string): Promise<Sight> {
  if (recorder === 'strace') return seenByStrace(command, join(folder, 'strace.txt'));
  const { evidence, error } = await record({ command, backend: recorder });
  if (error !== undefined) throw error;
  const kinds = evidence.map(
    ({ phase, exe, arch, nr, count }) => [`${phase} ${basename(exe)} ${arch} ${nr}`, count] as const,
  );
  return { kinds: new Map(kinds), numbers: new Set(evidence.map(({ nr }) => nr)) };
}

function seenByStrace(command: readonly string[], log: string): Sight {
  spawnSync('strace', ['-f', '-n', '-o', log, ...command], { stdio: 'inherit' });
  const text = readFileSync(log, 'utf8');
  // Lines of signals and of the end repeat the number of the last call. A number of -1 is none to strace.
  const calls = [...text.matchAll(/^\d+ +\[ *(\d+|\?{3,})\] \w+\(/gm)];
  const numbers = new Set(
    calls.map(([, nr = '']) => (nr.startsWith('?') ? 2 ** 32 - 1 : Number(BigInt.asUintN(32, BigInt(nr))))),
  );
  return { kinds: new Map(), numbers };
}

/** Why recorders differ; docs/backends.md says it at length. */
export type Reason =
  | 'own filter'
  | 'one listener'
  | 'no strict mode'
  | 'one tracer'
  | 'no new rights'
  | 'untraced'
  | 'vsyscall';

/** What a recorder does not see of a case; names of calls, of the case's own ABI. */
export interface Difference {
  readonly reason: Reason;
  readonly missing: { readonly [R in Recorder]?: readonly string[] };
}

const OWN_FILTER: Difference = { reason: 'own filter', missing: { notify: ['getppid'], ptrace: ['getppid'] } };
const RAISE = ['getpid', 'gettid', 'tgkill'];

/** By case; what is missing is missing always. */
export const DIFFERENCES: { readonly [name: string]: Difference } = {
  filter_denies: OWN_FILTER,
  filter_traps: OWN_FILTER,
  filter_kills: OWN_FILTER,
  filter_listens: { reason: 'one listener', missing: { notify: ['getpgid'] } },
  strict_mode: {
    reason: 'no strict mode',
    missing: {
      notify: ['exit'],
      ptrace: ['exit'],
      ebpf: ['exit_group', 'getpgid'],
      strace: ['exit_group', 'getpgid'],
    },
  },
  traces: { reason: 'one tracer', missing: { ptrace: ['getpgid', ...RAISE], strace: ['getpgid', ...RAISE] } },
  clone_untraced: { reason: 'untraced', missing: { strace: ['getpgid'] } },
  setuid_file: { reason: 'no new rights', missing: { notify: ['getpgid'], ptrace: ['getpgid'] } },
  vsyscall: { reason: 'vsyscall', missing: { ebpf: ['time'], strace: ['time'] } },
};

/** Calls that a case makes or not as it comes: a thread that waits for another, or finds it gone. */
export const BY_CHANCE: readonly string[] = ['futex', 'madvise', 'restart_syscall', 'rt_sigreturn'];

/** Cases whose every count is the same: no two tasks of them depend on each other's time. */
export const COUNTED: ReadonlySet<string> = new Set([
  'plain',
  'exec_chain',
  'exec_fails',
  'exec_at',
  'exec_itself',
  'exec_relative',
  'exec_too_long',
  'vforks',
  'vfork_exits',
  'raises',
  'nested_handlers',
  'other_stack',
  'queued',
  'faults',
  'timeouts',
  'int80_calls',
  'x32_numbers',
  'unknown_numbers',
  'negative_number',
  'filter_allows',
  'passes_descriptors',
  'old_ipc',
  'memory',
  'identity',
  'limits',
  'descriptors',
]);
