import type { Probe, ProbeArgument, ProbeStep } from '../elf/stubs/prober-x86-64.ts';
import {
  PROBE_ARGUMENT,
  PROBE_OPERATION,
  SECCOMP_RET_ALLOW,
  SECCOMP_RET_ERRNO,
  SECCOMP_RET_KILL_PROCESS,
  SECCOMP_RET_KILL_THREAD,
  SECCOMP_RET_LOG,
  SECCOMP_RET_TRACE,
  SECCOMP_RET_TRAP,
  SECCOMP_RET_USER_NOTIF,
} from '../facts/seccomp.ts';
import * as abi from './abi.ts';
import { NEEDED_CALLS } from './needed-calls.ts';

/** What the kernel is asked, in calls. Each probe runs in a process of its own. */

const { NR } = abi;
const call = (nr: number, ...args: readonly ProbeArgument[]): ProbeStep => ({ nr, args });
const text = (value: string): ProbeArgument => ({ bytes: Buffer.from(`${value}\0`) });

const setNoNewPrivs = call(NR.prctl, abi.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
const seccomp = (operation: number, flags: number, argument: ProbeArgument): ProbeStep =>
  call(NR.seccomp, operation, flags, argument);
const install = (filter: Uint8Array, flags = 0): ProbeStep => seccomp(abi.SECCOMP_SET_MODE_FILTER, flags, { filter });

/** Rows of code, jt, jf, k. */
function filter(rows: readonly (readonly [number, number, number, number])[]): Uint8Array {
  const bytes = new Uint8Array(8 * rows.length);
  const view = new DataView(bytes.buffer);
  rows.forEach(([code, jt, jf, k], index) => {
    view.setUint16(8 * index, code, true);
    bytes.set([jt, jf], 8 * index + 2);
    view.setUint32(8 * index + 4, k, true);
  });
  return bytes;
}

const SIGKILL = 9;
const LOAD = 0x20;
const JUMP_IF_EQUAL = 0x15;
const RETURN = 6;
const ALLOW_ALL = filter([[RETURN, 0, 0, SECCOMP_RET_ALLOW]]);
/** A number that no kernel has: notifying it alone disturbs nobody. */
const NO_CALL = 0x5e1c1f;
const NOTIFY_NO_CALL = filter([
  [LOAD, 0, 0, 0],
  [JUMP_IF_EQUAL, 0, 1, NO_CALL],
  [RETURN, 0, 0, SECCOMP_RET_USER_NOTIF],
  [RETURN, 0, 0, SECCOMP_RET_ALLOW],
]);

/** Ends the peer and reaps it: not every container has an init that would. */
const endPeer: readonly ProbeStep[] = [call(NR.kill, 'peer', SIGKILL), call(NR.wait4, 'peer', 0, 0, 0)];

/** Instructions of the filters that are timed. */
export const TIMED_INSTRUCTIONS = 1000;
/** Calls of one timing. */
export const TIMED_CALLS = 200;
/** Loads the number again and again: the same answer for every call of a number, which the kernel's bitmap (5.11) can keep. */
const longFilter = (lastLoad: number): Uint8Array =>
  filter([
    ...Array.from({ length: TIMED_INSTRUCTIONS - 2 }, () => [LOAD, 0, 0, 0] as const),
    [LOAD, 0, 0, lastLoad],
    [RETURN, 0, 0, SECCOMP_RET_ALLOW],
  ]);
const OFFSET_FIRST_ARGUMENT = 16;
const timings: readonly ProbeStep[] = Array.from({ length: 12 }, () => ({ times: TIMED_CALLS }));

/** The actions of a filter, by the names that /proc/sys/kernel/seccomp/actions_avail has too. */
export const ACTIONS: Readonly<Record<string, number>> = {
  kill_process: SECCOMP_RET_KILL_PROCESS,
  kill_thread: SECCOMP_RET_KILL_THREAD,
  trap: SECCOMP_RET_TRAP,
  errno: SECCOMP_RET_ERRNO,
  user_notif: SECCOMP_RET_USER_NOTIF,
  trace: SECCOMP_RET_TRACE,
  log: SECCOMP_RET_LOG,
  allow: SECCOMP_RET_ALLOW,
};

/** Flags of the installation, with those that each needs beside it. */
export const FLAGS: Readonly<Record<string, number>> = {
  TSYNC: abi.SECCOMP_FILTER_FLAG_TSYNC,
  LOG: abi.SECCOMP_FILTER_FLAG_LOG,
  SPEC_ALLOW: abi.SECCOMP_FILTER_FLAG_SPEC_ALLOW,
  NEW_LISTENER: abi.SECCOMP_FILTER_FLAG_NEW_LISTENER,
  TSYNC_ESRCH:
    abi.SECCOMP_FILTER_FLAG_TSYNC | abi.SECCOMP_FILTER_FLAG_TSYNC_ESRCH | abi.SECCOMP_FILTER_FLAG_NEW_LISTENER,
  WAIT_KILLABLE_RECV: abi.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV | abi.SECCOMP_FILTER_FLAG_NEW_LISTENER,
};

const word = (value: number): ProbeArgument => {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return { bytes };
};

function mapValues<From, To>(
  object: Readonly<Record<string, From>>,
  prefix: string,
  change: (value: From) => To,
): Record<string, To> {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [prefix + key, change(value)]));
}

const MFD_CLOEXEC = 1;
const MFD_EXEC = 0x10;
const PROT_READ_EXEC = 5;
const MAP_PRIVATE = 2;
const ENVIRONMENT: ProbeArgument = { strings: [] };

/** A program into memory, then its execution: where that succeeds, the last step has no result. */
const execute = (program: Uint8Array, flags: number, ...words: readonly string[]): ProbeStep[] => [
  call(NR.memfd_create, text('selkie-doctor'), flags),
  call(NR.write, { result: 0 }, { bytes: program }, program.length),
  call(NR.execveat, { result: 0 }, text(''), { strings: ['selkie', ...words, 'x'] }, ENVIRONMENT, abi.AT_EMPTY_PATH),
];

const I386_GETPID = 20;
const X32_BIT = 0x4000_0000;
const CLONE_NEWUSER = 0x1000_0000;
const LANDLOCK_CREATE_RULESET_VERSION = 1;
const NOBODY = 65534;
const BPF_MAP_CREATE = 0;
/** union bpf_attr of an array of one word: type BPF_MAP_TYPE_ARRAY, sizes of key and value, entries. */
const ARRAY_MAP: ProbeArgument = { bytes: new Uint8Array(Uint32Array.of(2, 4, 4, 1, 0, 0, 0, 0).buffer) };
const createMap = call(NR.bpf, BPF_MAP_CREATE, ARRAY_MAP, 32);

/** Programs that probes execute. */
export interface ProbePrograms {
  /** Ends with 0 when it has an argument. */
  readonly trial: Uint8Array;
  /** The launcher of `run`, under a filter that permits all but some calls of `start:`. */
  readonly launcher: Uint8Array;
  /** The file of the trial program. */
  readonly trialPath: string;
  /** A filter that permits all and answers the probe call. */
  readonly filter: Uint8Array;
}

export type ProbeName =
  | 'mode'
  | 'noNewPrivs'
  | 'strict'
  | 'filter'
  | 'filterByPrctl'
  | 'filterByPrivilege'
  | 'threads'
  | 'listener'
  | 'memfd'
  | 'memfdBefore63'
  | 'run'
  | 'runBefore63'
  | 'machineCode'
  | 'pidfd'
  | 'ptrace'
  | 'ia32'
  | 'x32'
  | 'userNamespace'
  | 'ioUring'
  | 'landlock'
  | 'bpf'
  | 'bpfUnprivileged'
  | 'cost'
  | 'costConstant'
  | 'costReading'
  | `action:${string}`
  | `flag:${string}`
  | `call:${string}`;

/** Every probe by its name; actions are `action:NAME`, flags `flag:NAME`. */
export function probesFor({ trial, trialPath, launcher, filter: program }: ProbePrograms): Record<ProbeName, Probe> {
  const probes: Record<ProbeName, readonly ProbeStep[]> = {
    strict: [seccomp(abi.SECCOMP_SET_MODE_STRICT, 0, 0)],
    mode: [call(NR.prctl, abi.PR_GET_SECCOMP)],
    noNewPrivs: [call(NR.prctl, abi.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)],
    filter: [setNoNewPrivs, install(ALLOW_ALL)],
    filterByPrctl: [setNoNewPrivs, call(NR.prctl, abi.PR_SET_SECCOMP, 2, { filter: ALLOW_ALL })],
    filterByPrivilege: [install(ALLOW_ALL)],
    threads: [
      { start: 'thread' },
      setNoNewPrivs,
      install(program, abi.SECCOMP_FILTER_FLAG_TSYNC),
      seccomp(PROBE_OPERATION, PROBE_ARGUMENT, 0),
    ],
    listener: [
      setNoNewPrivs,
      install(NOTIFY_NO_CALL, abi.SECCOMP_FILTER_FLAG_NEW_LISTENER),
      call(NR.ioctl, { result: 1 }, abi.SECCOMP_IOCTL_NOTIF_SET_FLAGS, abi.SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP),
    ],
    memfd: execute(trial, MFD_CLOEXEC | MFD_EXEC),
    memfdBefore63: execute(trial, MFD_CLOEXEC),
    run: execute(launcher, MFD_CLOEXEC | MFD_EXEC, trialPath),
    runBefore63: execute(launcher, MFD_CLOEXEC, trialPath),
    machineCode: [
      call(NR.memfd_create, text('selkie-doctor'), MFD_CLOEXEC),
      call(NR.write, { result: 0 }, { bytes: trial }, trial.length),
      call(NR.mmap, 0, 4096, PROT_READ_EXEC, MAP_PRIVATE, { result: 0 }, 0),
    ],
    pidfd: [
      { start: 'process' },
      call(NR.pidfd_open, 'peer', 0),
      call(NR.pidfd_getfd, { result: 1 }, 1, 0),
      ...endPeer,
    ],
    ptrace: [{ start: 'process' }, call(NR.ptrace, abi.PTRACE_SEIZE, 'peer', 0, 0), ...endPeer],
    ia32: [{ nr: I386_GETPID, entry: 'int80' }],
    x32: [call(NR.getpid + X32_BIT)],
    userNamespace: [call(NR.unshare, CLONE_NEWUSER)],
    ioUring: [call(NR.io_uring_setup, 1, 0)],
    landlock: [call(NR.landlock_create_ruleset, 0, 0, LANDLOCK_CREATE_RULESET_VERSION)],
    bpf: [createMap],
    bpfUnprivileged: [call(NR.setresuid, NOBODY, NOBODY, NOBODY), createMap],
    cost: timings,
    costConstant: [setNoNewPrivs, install(longFilter(0)), ...timings],
    costReading: [setNoNewPrivs, install(longFilter(OFFSET_FIRST_ARGUMENT)), ...timings],
    ...mapValues(ACTIONS, 'action:', (action) => [seccomp(abi.SECCOMP_GET_ACTION_AVAIL, 0, word(action))]),
    ...mapValues(FLAGS, 'flag:', (flags) => [seccomp(abi.SECCOMP_SET_MODE_FILTER, flags, 0)]),
    ...mapValues(NEEDED_CALLS, 'call:', ({ step }) => [step]),
  };
  return mapValues(probes, '', (steps) => ({ steps })) as Record<ProbeName, Probe>;
}
