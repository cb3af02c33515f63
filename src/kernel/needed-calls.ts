import type { ProbeArgument, ProbeStep } from '../elf/stubs/prober-x86-64.ts';
import * as abi from './abi.ts';

/** The calls that Selkie's commands make, to see which of them a filter on us refuses. */

const { NR } = abi;
const NR_SENDMSG = 46;
const PR_SET_PDEATHSIG = 1;
const PR_SET_CHILD_SUBREAPER = 36;
const NO_PROCESS = 0x7fff_ffff;
const WNOHANG = 1;
const AF_UNIX = 1;
const SOCK_SEQPACKET = 5;
const EMPTY: ProbeArgument = { bytes: Uint8Array.of(0) };

/** What Selkie does in the kernel. */
export type Command = 'record' | 'run' | 'seal' | 'confine' | 'explain' | 'lift';

/** A call that Selkie makes, in a form that does nothing, and what a kernel answers when no filter is in between. */
export interface NeededCall {
  readonly step: ProbeStep;
  readonly errnos: readonly number[];
  /** Which commands do not work without it. */
  readonly commands: readonly Command[];
  /** In which of them Selkie's own process makes it: a filter that kills for it kills Selkie there. */
  readonly ours: readonly Command[];
}

const ESRCH = 3;
const EINTR = 4;
const EBADF = 9;
const ECHILD = 10;
const EFAULT = 14;
const EINVAL = 22;

const ALL: readonly Command[] = ['record', 'run', 'seal', 'confine', 'explain', 'lift'];
const FROM_MEMORY: readonly Command[] = ['record', 'run', 'explain', 'lift'];
const SUPERVISING: readonly Command[] = ['record', 'explain', 'lift'];

function needed(
  commands: readonly Command[],
  ours: readonly Command[],
  nr: number,
  args: readonly ProbeArgument[],
  ...errnos: readonly number[]
): NeededCall {
  return { step: { nr, args }, errnos, commands, ours };
}

/** In the order in which they are blamed. Calls without which something is only less good belong to no command. */
export const NEEDED_CALLS: Readonly<Record<string, NeededCall>> = {
  'prctl(PR_SET_NO_NEW_PRIVS)': needed(ALL, [], NR.prctl, [abi.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0]),
  'seccomp(SECCOMP_SET_MODE_FILTER)': needed(ALL, [], NR.seccomp, [abi.SECCOMP_SET_MODE_FILTER, 0, 0], EFAULT),
  'seccomp(SECCOMP_GET_NOTIF_SIZES)': needed(
    SUPERVISING,
    SUPERVISING,
    NR.seccomp,
    [abi.SECCOMP_GET_NOTIF_SIZES, 0, { memory: 0 }],
    EINVAL,
  ),
  memfd_create: needed(FROM_MEMORY, FROM_MEMORY, NR.memfd_create, [0, 0], EFAULT),
  execve: needed(FROM_MEMORY, [], NR.execve, [0, 0, 0], EFAULT),
  execveat: needed(['run'], ['run'], NR.execveat, [-1, EMPTY, 0, 0, abi.AT_EMPTY_PATH], EBADF, EFAULT),
  fcntl: needed(FROM_MEMORY, FROM_MEMORY, NR.fcntl, [-1, abi.F_GETFD, 0], EBADF),
  socketpair: needed(SUPERVISING, SUPERVISING, NR.socketpair, [AF_UNIX, SOCK_SEQPACKET, 0, { memory: 0 }]),
  sendmsg: needed(SUPERVISING, [], NR_SENDMSG, [-1, 0, 0], EBADF),
  recvmsg: needed(SUPERVISING, SUPERVISING, NR.recvmsg, [-1, 0, 0], EBADF),
  eventfd2: needed(SUPERVISING, SUPERVISING, NR.eventfd2, [0, 0]),
  ioctl: needed(SUPERVISING, SUPERVISING, NR.ioctl, [-1, 0, 0], EBADF),
  poll: needed(SUPERVISING, SUPERVISING, NR.poll, [0, 0, 0], EINTR),
  wait4: needed(SUPERVISING, SUPERVISING, NR.wait4, [-1, 0, WNOHANG, 0], ECHILD),
  kill: needed(SUPERVISING, SUPERVISING, NR.kill, [NO_PROCESS, 0], ESRCH),
  'prctl(PR_SET_PDEATHSIG)': needed([], [], NR.prctl, [PR_SET_PDEATHSIG, 0]),
  'prctl(PR_SET_CHILD_SUBREAPER)': needed([], [], NR.prctl, [PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0]),
  pread64: needed([], SUPERVISING, NR.pread64, [-1, 0, 0, 0], EBADF),
  pwrite64: needed([], ['record', 'explain'], NR.pwrite64, [-1, 0, 0, 0], EBADF),
  process_vm_readv: needed([], [], NR.process_vm_readv, [-1, 0, 0, 0, 0, 1], EINVAL),
  ptrace: needed([], [], NR.ptrace, [abi.PTRACE_SEIZE, NO_PROCESS, 0, 0], ESRCH),
};
