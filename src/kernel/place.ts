import { readFileSync } from 'node:fs';
import { arch, release } from 'node:os';

/** Where this process runs, by what /proc and /sys say: read only. What cannot be read is undefined. */

export interface Place {
  readonly release: string;
  readonly arch: string;
  readonly node: string;
  readonly uid: number | undefined;
  /** /proc is mounted, and it is ours. */
  readonly hasProc: boolean;
  /** How many filters are on this process (5.9+). */
  readonly filters: number | undefined;
  readonly capSysAdmin: boolean | undefined;
  /** kernel.yama.ptrace_scope: 0 like before Yama, 1 descendants, 2 CAP_SYS_PTRACE, 3 nobody; undefined: no Yama. */
  readonly yama: number | undefined;
  /** kernel.unprivileged_bpf_disabled: 0 no, 1 for ever, 2 until changed. */
  readonly unprivilegedBpfDisabled: number | undefined;
  /** net.core.bpf_jit_enable: 0 off, 1 on, 2 debugging; root reads it. */
  readonly bpfJit: number | undefined;
  readonly actionsLogged: string | undefined;
  /** Whether the tracepoint of system call entries can be found. */
  readonly tracepoints: boolean;
}

const CAP_SYS_ADMIN = 21n;
const TRACEFS = ['/sys/kernel/tracing', '/sys/kernel/debug/tracing'];

/** Reads what the files say. */
export function readPlace(): Place {
  const status = readText('/proc/self/status');
  const field = (name: string) => new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(status ?? '')?.[1];
  const filters = field('Seccomp_filters');
  const capabilities = field('CapEff');
  return {
    release: release(),
    arch: arch(),
    node: process.version,
    uid: process.getuid?.(),
    hasProc: status !== undefined && field('Pid') === String(process.pid),
    filters: filters === undefined ? undefined : Number(filters),
    capSysAdmin: capabilities === undefined ? undefined : ((BigInt(`0x${capabilities}`) >> CAP_SYS_ADMIN) & 1n) === 1n,
    yama: readNumber('/proc/sys/kernel/yama/ptrace_scope'),
    unprivilegedBpfDisabled: readNumber('/proc/sys/kernel/unprivileged_bpf_disabled'),
    bpfJit: readNumber('/proc/sys/net/core/bpf_jit_enable'),
    actionsLogged: readText('/proc/sys/kernel/seccomp/actions_logged')?.trim(),
    tracepoints: TRACEFS.some((folder) => readNumber(`${folder}/events/raw_syscalls/sys_enter/id`) !== undefined),
  };
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function readNumber(path: string): number | undefined {
  const text = readText(path)?.trim();
  return text === undefined || !/^\d+$/.test(text) ? undefined : Number(text);
}
