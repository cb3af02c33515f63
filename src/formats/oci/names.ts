import type { ArchName } from '../../facts/arches.ts';
import type { CompareOperator } from '../../policy/model.ts';

/** Names of profiles. Sources: runtime-spec config-linux.md, libseccomp's seccomp.h, linux/net.h, linux/ipc.h. */

export type ActionKind = 'kill_thread' | 'kill_process' | 'trap' | 'errno' | 'trace' | 'allow' | 'log' | 'notify';

export const ACTIONS: ReadonlyMap<string, ActionKind> = new Map([
  ['SCMP_ACT_KILL', 'kill_thread'],
  ['SCMP_ACT_KILL_THREAD', 'kill_thread'],
  ['SCMP_ACT_KILL_PROCESS', 'kill_process'],
  ['SCMP_ACT_TRAP', 'trap'],
  ['SCMP_ACT_ERRNO', 'errno'],
  ['SCMP_ACT_TRACE', 'trace'],
  ['SCMP_ACT_ALLOW', 'allow'],
  ['SCMP_ACT_LOG', 'log'],
  ['SCMP_ACT_NOTIFY', 'notify'],
]);

export const OPERATORS: ReadonlyMap<string, CompareOperator | 'masked'> = new Map([
  ['SCMP_CMP_NE', '!='],
  ['SCMP_CMP_LT', '<'],
  ['SCMP_CMP_LE', '<='],
  ['SCMP_CMP_EQ', '=='],
  ['SCMP_CMP_GE', '>='],
  ['SCMP_CMP_GT', '>'],
  ['SCMP_CMP_MASKED_EQ', 'masked'],
]);

/** `undefined`: an ABI whose numbers Selkie has not. */
export const ARCHITECTURES: ReadonlyMap<string, ArchName | undefined> = new Map([
  ['SCMP_ARCH_X86_64', 'x86_64'],
  ['SCMP_ARCH_X86', 'i386'],
  ['SCMP_ARCH_X32', 'x32'],
  ['SCMP_ARCH_AARCH64', 'aarch64'],
  ['SCMP_ARCH_ARM', 'arm'],
  ['SCMP_ARCH_RISCV64', 'riscv64'],
  ['SCMP_ARCH_PPC64LE', 'ppc64le'],
  ['SCMP_ARCH_S390X', 's390x'],
  ['SCMP_ARCH_MIPSEL64', 'mips64el'],
  ['SCMP_ARCH_LOONGARCH64', 'loongarch64'],
  ...['LOONGARCH', 'M68K', 'MIPS', 'MIPS64', 'MIPS64N32', 'MIPSEL', 'MIPSEL64N32', 'PARISC', 'PARISC64'].map(unknown),
  ...['PPC', 'PPC64', 'S390', 'SH', 'SHEB'].map(unknown),
]);

function unknown(name: string): [string, undefined] {
  return [`SCMP_ARCH_${name}`, undefined];
}

/** What `includes.arches` and `excludes.arches` call an ABI: libseccomp-golang's names, and Go's where Docker maps those. */
export const ENGINE_ARCHES: { readonly [K in ArchName]: readonly string[] } = {
  x86_64: ['amd64'],
  i386: ['x86'],
  x32: ['x32'],
  aarch64: ['arm64'],
  arm: ['arm'],
  riscv64: ['riscv64'],
  ppc64le: ['ppc64le'],
  s390x: ['s390x'],
  mips64el: ['mipsel64'],
  loongarch64: ['loong64', 'loongarch64'],
};

/** Names that those lists may hold, of ABIs that Selkie has not. */
export const OTHER_ENGINE_ARCHES: readonly string[] = [
  ...['mips', 'mips64', 'mips64n32', 'mipsel', 'mipsel64n32', 'mips3l64n32'],
  ...['parisc', 'parisc64', 'ppc', 'ppc64', 's390'],
];

/** Capabilities that Docker grants a container unless told otherwise. Source: moby oci/caps/defaults.go. */
export const DOCKER_CAPS: readonly string[] = [
  ...['CAP_AUDIT_WRITE', 'CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_FOWNER', 'CAP_FSETID', 'CAP_KILL', 'CAP_MKNOD'],
  ...['CAP_NET_BIND_SERVICE', 'CAP_NET_RAW', 'CAP_SETFCAP', 'CAP_SETGID', 'CAP_SETPCAP', 'CAP_SETUID'],
  'CAP_SYS_CHROOT',
];

/** ABIs where these calls can also be made through socketcall(2) and ipc(2), and where libseccomp makes rules for that too. */
export const MULTIPLEXED_ARCHES: readonly ArchName[] = ['i386', 's390x', 'ppc64le'];

const SOCKET_CALLS: readonly string[] = [
  ...['socket', 'bind', 'connect', 'listen', 'accept', 'getsockname', 'getpeername', 'socketpair', 'send', 'recv'],
  ...[
    'sendto',
    'recvfrom',
    'shutdown',
    'setsockopt',
    'getsockopt',
    'sendmsg',
    'recvmsg',
    'accept4',
    'recvmmsg',
    'sendmmsg',
  ],
];

const IPC_CALLS: Readonly<Record<string, number>> = {
  ...{ semop: 1, semget: 2, semctl: 3, semtimedop: 4, msgsnd: 11, msgrcv: 12, msgget: 13, msgctl: 14 },
  ...{ shmat: 21, shmdt: 22, shmget: 23, shmctl: 24 },
};

/** Another way to make a call: through `call`, with `value` as its first argument. */
export interface Multiplexed {
  readonly call: 'socketcall' | 'ipc';
  readonly value: number;
}

export const MULTIPLEXERS: ReadonlyMap<string, Multiplexed> = new Map<string, Multiplexed>([
  ...SOCKET_CALLS.map((name, index): [string, Multiplexed] => [name, { call: 'socketcall', value: index + 1 }]),
  ...Object.entries(IPC_CALLS).map(([name, value]): [string, Multiplexed] => [name, { call: 'ipc', value }]),
]);
