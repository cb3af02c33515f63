import type { ProbeArgument, ProbeStep } from '../elf/stubs/prober-x86-64.ts';
import * as abi from './abi.ts';

/** The calls without which Selkie's commands do not work, to see which of them a filter on us refuses. */

const { NR } = abi;
const NR_SENDMSG = 46;
const PR_SET_PDEATHSIG = 1;
const PR_SET_CHILD_SUBREAPER = 36;
const PTRACE_CONT = 7;
const NO_PROCESS = 0x7fff_ffff;
const WNOHANG = 1;
const AF_UNIX = 1;
const SOCK_SEQPACKET = 5;

/** A call that Selkie makes, in a form that does nothing, and what a kernel answers when no filter is in between. */
export interface NeededCall {
  readonly step: ProbeStep;
  readonly errnos: readonly number[];
}

const ESRCH = 3;
const EINTR = 4;
const EBADF = 9;
const ECHILD = 10;
const EFAULT = 14;
const EINVAL = 22;
const ENOSYS = 38;
const needed = (nr: number, args: readonly ProbeArgument[], ...errnos: readonly number[]): NeededCall => ({
  step: { nr, args },
  errnos,
});

/** ENOSYS is an answer of the kernel only for those that are newer than the oldest kernel that Selkie runs on. */
export const NEEDED_CALLS: Readonly<Record<string, NeededCall>> = {
  'prctl(PR_SET_NO_NEW_PRIVS)': needed(NR.prctl, [abi.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0]),
  'prctl(PR_SET_PDEATHSIG)': needed(NR.prctl, [PR_SET_PDEATHSIG, 0]),
  'prctl(PR_SET_CHILD_SUBREAPER)': needed(NR.prctl, [PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0]),
  'seccomp(SECCOMP_SET_MODE_FILTER)': needed(NR.seccomp, [abi.SECCOMP_SET_MODE_FILTER, 0, 0], EFAULT),
  'seccomp(SECCOMP_GET_NOTIF_SIZES)': needed(NR.seccomp, [abi.SECCOMP_GET_NOTIF_SIZES, 0, { memory: 0 }], EINVAL),
  memfd_create: needed(NR.memfd_create, [0, 0], EFAULT),
  execve: needed(NR.execve, [0, 0, 0], EFAULT),
  execveat: needed(NR.execveat, [-1, { bytes: Uint8Array.of(0) }, 0, 0, abi.AT_EMPTY_PATH], EBADF, EFAULT),
  socketpair: needed(NR.socketpair, [AF_UNIX, SOCK_SEQPACKET, 0, { memory: 0 }]),
  sendmsg: needed(NR_SENDMSG, [-1, 0, 0], EBADF),
  recvmsg: needed(NR.recvmsg, [-1, 0, 0], EBADF),
  eventfd2: needed(NR.eventfd2, [0, 0]),
  ioctl: needed(NR.ioctl, [-1, 0, 0], EBADF),
  poll: needed(NR.poll, [0, 0, 0], EINTR),
  wait4: needed(NR.wait4, [-1, 0, WNOHANG, 0], ECHILD),
  kill: needed(NR.kill, [NO_PROCESS, 0], ESRCH),
  fcntl: needed(NR.fcntl, [-1, abi.F_GETFD, 0], EBADF),
  pread64: needed(NR.pread64, [-1, 0, 0, 0], EBADF),
  pwrite64: needed(NR.pwrite64, [-1, 0, 0, 0], EBADF),
  process_vm_readv: needed(NR.process_vm_readv, [-1, 0, 0, 0, 0, 1], EINVAL),
  ptrace: needed(NR.ptrace, [PTRACE_CONT, NO_PROCESS, 0, 0], ESRCH),
  pidfd_open: needed(NR.pidfd_open, [-1, 0], EINVAL, ENOSYS),
  pidfd_getfd: needed(NR.pidfd_getfd, [-1, 0, 0], EBADF, ENOSYS),
  pidfd_send_signal: needed(NR.pidfd_send_signal, [-1, 0, 0, 0], EBADF, ENOSYS),
};
