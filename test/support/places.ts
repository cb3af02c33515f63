import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ownLauncherX8664 } from '../../src/elf/stubs/own-launcher-x86-64.ts';
import { SECCOMP_RET_KILL_PROCESS } from '../../src/facts/seccomp.ts';
import { buildProgram } from './builds.ts';
import { denying, encode } from './filters.ts';
import { SELKIE } from './selkie.ts';
import { missingTools } from './tools.ts';

/** Places where Selkie may find itself, made on the spot: containers, sandboxes, outer filters, other users. */
export interface Place {
  readonly name: string;
  readonly skip: false | string;
  /** Has a pid namespace of its own. */
  readonly hidesOthers?: boolean;
  /** The words that run a command there; `folder` is writable for everybody. */
  readonly wrap: (command: readonly string[], folder: string) => readonly string[];
}

const NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
const BUBBLEWRAP = ['bwrap', '--bind', '/', '/', '--dev', '/dev', '--unshare-all'];

function under(name: string, tool: string, prefix: readonly string[]): Place {
  const hidesOthers = ['bwrap', 'firejail', 'unshare'].includes(tool);
  return { name, skip: missingTools(tool), hidesOthers, wrap: (command) => [...prefix, ...command] };
}

/** A place below a filter, which must answer the probe call. */
export function below(name: string, filter: Uint8Array, prefix: readonly string[] = []): Place {
  const wrap = (command: readonly string[], folder: string): readonly string[] => {
    const launcher = join(folder, `launcher-${command.length}`);
    writeFileSync(launcher, ownLauncherX8664({ program: filter, form: 'simple' }));
    chmodSync(launcher, 0o755);
    return [launcher, ...prefix, ...command];
  };
  return { name, skip: missingTools('setpriv'), wrap };
}

/** A filter that answers EPERM to these numbers of x86-64, as root or as uid 65534. */
const refusing = (name: string, prefix: readonly string[], ...numbers: readonly number[]): Place =>
  below(name, denying(...numbers), prefix);

/** A filter that answers seccomp(2), prctl(2) or both its own way; see test/programs/outer.c. */
function outer(how: string, which: string): Place {
  const wrap = (command: readonly string[], folder: string): readonly string[] => {
    const { path } = buildProgram({ name: 'outer', tool: 'gcc', flags: ['-static'] }, 'outer.c', folder);
    return [path, how, which, ...command];
  };
  return { name: `a filter that answers ${how} to ${which}`, skip: missingTools('gcc'), wrap };
}

/** The whole command is being recorded: its listener is the one that the kernel permits. */
const RECORDED: Place = {
  name: 'another listener',
  skip: false,
  wrap: (command, folder) => {
    const policy = join(folder, 'outer.yaml');
    return [process.execPath, SELKIE, 'record', '-q', '--force', '-o', policy, '--', ...command];
  },
};

const NR = { pwrite64: 18, ptrace: 101, unshare: 272, perf_event_open: 298, process_vm_readv: 310, memfd_create: 319 };
const LATER = { bpf: 321, execveat: 322, socketpair: 53, io_uring_setup: 425, pidfd_getfd: 438 };

/** Refused on the dynos of a platform: nearly all that looks into other processes or makes namespaces. */
const DYNO = [NR.ptrace, NR.unshare, NR.perf_event_open, NR.process_vm_readv, LATER.bpf, LATER.io_uring_setup];

/** Kills for these numbers; other calls are answered as if it were not there. */
function killing(name: string, ...numbers: readonly number[]): Place {
  const rows = numbers.flatMap((number): [number, number, number, number][] => [
    [0x15, 0, 1, number],
    [0x06, 0, 0, SECCOMP_RET_KILL_PROCESS],
  ]);
  return below(name, Buffer.concat([encode([[0x20, 0, 0, 0], ...rows]), denying()]));
}

/** What kernels before 6.3 and 5.19 answer, by a policy of Selkie's own. */
const OLD_KERNEL = `selkie: 1
sets: 1
arches: [x86_64]
default: allow
syscalls:
  errno(EINVAL):
    - memfd_create: (flags & 0x10) == 0x10
    - seccomp: operation == 1 && (flags & 0x20) == 0x20
  errno(ENOSYS):
    - landlock_create_ruleset
    - io_uring_setup
`;

/** record goes by ptrace there. */
const NO_LISTENER =
  'selkie: 1\nsets: 1\ndefault: allow\nsyscalls:\n  errno(EINVAL):\n    - seccomp: operation == 1 && (flags & 8) == 8\n';

/** A place under `selkie run`. */
function policed(name: string, policy: string): Place {
  const wrap = (command: readonly string[], folder: string): readonly string[] => {
    const file = join(folder, 'place.yaml');
    writeFileSync(file, policy);
    return [process.execPath, SELKIE, 'run', '-p', file, ...command];
  };
  return { name, skip: false, wrap };
}

/** A pid namespace of its own, which has a setting of its own: no execution from memory files. */
const MEMFD_NOEXEC = ['unshare', '--pid', '--fork', '--mount-proc', 'sh', '-c'];
const SET_NOEXEC = 'echo 2 > /proc/sys/vm/memfd_noexec && exec "$@"';

export const PLACES: readonly Place[] = [
  { name: 'this machine', skip: false, wrap: (command) => command },
  under('uid 65534', 'setpriv', NOBODY),
  refusing('a dyno', NOBODY, ...DYNO, LATER.pidfd_getfd),
  RECORDED,
  under('bubblewrap', 'bwrap', [...BUBBLEWRAP, '--proc', '/proc']),
  under('bubblewrap without /proc', 'bwrap', [...BUBBLEWRAP, '--tmpfs', '/proc']),
  under('firejail', 'firejail', ['firejail', '--quiet', '--ignore=private-tmp']),
  refusing('no programs in memory', NOBODY, NR.memfd_create),
  outer('kill', 'seccomp'),
];

/** Neither the temporary folder nor /dev/shm can be written: probes are started from memory. */
const NO_TEMPORARY = ['--ro-bind', '/dev/shm', '/dev/shm', '--setenv', 'TMPDIR', '/nonexistent'];

export const MORE_PLACES: readonly Place[] = [
  under('no temporary folder', 'bwrap', [...BUBBLEWRAP, '--proc', '/proc', ...NO_TEMPORARY]),
  policed('like Linux 5.10', OLD_KERNEL),
  policed('no user notification', NO_LISTENER),
  under('vm.memfd_noexec=2', 'unshare', [...MEMFD_NOEXEC, SET_NOEXEC, 'sh']),
  under('no_new_privs', 'setpriv', [...NOBODY, '--no-new-privs']),
  under('firejail without profile, with its filter', 'firejail', ['firejail', '--quiet', '--noprofile', '--seccomp']),
  refusing('memory of others not writable', [], NR.pwrite64),
  refusing('no execveat', NOBODY, LATER.execveat),
  refusing('no socketpair', NOBODY, LATER.socketpair),
  killing('killed for process_vm_readv', NR.process_vm_readv),
  killing('killed for execveat', LATER.execveat),
  killing('killed for memfd_create', NR.memfd_create),
  killing('killed for pwrite64', NR.pwrite64),
  outer('1', 'seccomp'),
  outer('0', 'seccomp'),
  outer('22', 'prctl'),
  outer('1', 'both'),
  outer('kill', 'prctl'),
  outer('kill', 'both'),
  outer('listener', 'seccomp'),
  outer('listener', 'prctl'),
];
