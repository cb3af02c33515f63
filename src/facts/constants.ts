/** Integer constants of the ABI per arch: macros and enumerators of the uapi headers, and the kernel's socket names. */

import type { ArchName } from './arches.ts';
import { CONSTANTS } from './tables/z-constants.ts';
import { CONSTANTS_AARCH64 } from './tables/z-constants-aarch64.ts';
import { CONSTANTS_ARM } from './tables/z-constants-arm.ts';
import { CONSTANTS_I386 } from './tables/z-constants-i386.ts';
import { CONSTANTS_LOONGARCH64 } from './tables/z-constants-loongarch64.ts';
import { CONSTANTS_MIPS64EL } from './tables/z-constants-mips64el.ts';
import { CONSTANTS_PPC64LE } from './tables/z-constants-ppc64le.ts';
import { CONSTANTS_RISCV64 } from './tables/z-constants-riscv64.ts';
import { CONSTANTS_S390X } from './tables/z-constants-s390x.ts';
import { CONSTANTS_X32 } from './tables/z-constants-x32.ts';
import { CONSTANTS_X86_64 } from './tables/z-constants-x86-64.ts';

type Table = { readonly [name: string]: number | bigint | null };

/** What differs from the common table; null: the arch has no such name. */
const DIFFERENCES: { readonly [K in ArchName]: Table } = {
  x86_64: CONSTANTS_X86_64,
  i386: CONSTANTS_I386,
  x32: CONSTANTS_X32,
  aarch64: CONSTANTS_AARCH64,
  arm: CONSTANTS_ARM,
  loongarch64: CONSTANTS_LOONGARCH64,
  mips64el: CONSTANTS_MIPS64EL,
  ppc64le: CONSTANTS_PPC64LE,
  riscv64: CONSTANTS_RISCV64,
  s390x: CONSTANTS_S390X,
};

const printing = new Map<string, ReadonlyMap<bigint, string>>();

/** Value as the C constant has it (AT_FDCWD is -100n), undefined where the arch has none of that name. */
export function constant(arch: ArchName, name: string): bigint | undefined {
  const own = DIFFERENCES[arch];
  const table: Table = Object.hasOwn(own, name) ? own : CONSTANTS;
  if (!Object.hasOwn(table, name)) return undefined;
  const value = table[name];
  return value === null || value === undefined ? undefined : BigInt(value);
}

/** Every constant of the arch, sorted by name. */
export function* constantNames(arch: ArchName): Iterable<string> {
  for (const name of Object.keys(CONSTANTS)) if (DIFFERENCES[arch][name] !== null) yield name;
}

// Names that close a list, mask it or belong to an argument further on are poor names for a value.
const POOR: readonly RegExp[] = [
  /(?:_MAX|_MIN|_MASK|_LAST|_NUM|_ALL|_SIZE|_BITS|_LOCK|_SHIFT)\d*$|^__|_OLD$|SHIFT$/,
  /^PR_(?:SET_MM|SPEC|MCE_KILL|CAP_AMBIENT|FP|TSC|ENDIAN|UNALIGN|TAGGED|TIMING|MTE|PAC_AP|SCHED_CORE|FUTEX_HASH|SYS_DISPATCH)_/,
  /^PTRACE_(?:O|EVENT|PEEKSIGINFO|SYSCALL_INFO)_|^FUTEX_OP_|^IN_CLASS|^KEYCTL_(?:CAPS|SUPPORTS)|^SO_VM_|^[A-Z]+_UNUSED|^F_(?:OWNER|SEAL)_|^MSG_(?:CMSG_COMPAT|COPY)$/,
];
const PREFERRED: readonly RegExp[] = [
  /^(?:AF_UNIX|MAP_ANONYMOUS|O_NONBLOCK|O_SYNC|F_SETFL|SCHED_OTHER|IPPROTO_IP|CLOCK_REALTIME|[FRWX]_OK|SIG[A-Z]{2,4})$/,
  /^PR_(?:[GS]ET_(?!MM_)|CAPBSET_)|^SECCOMP_(?:SET_MODE|GET_ACTION|GET_NOTIF)|^PTRACE_(?:GET|SET)REGS$|^FUTEX_(?!WAITV_MAX)(?:WAIT|WAKE|FD|REQUEUE|CMP|LOCK|UNLOCK|TRYLOCK)/,
  /^(?:SOCK_(?:RAW|RDM|SEQPACKET|DCCP|PACKET)|SYS_SOCKET|IP_(?:TOS|TTL|RETOPTS)|UDP_CORK)$/,
  /^TCP_(?:NODELAY|MAXSEG|CORK|KEEPIDLE|KEEPINTVL|SYNCNT|LINGER2|WINDOW_CLAMP|INFO|QUICKACK|USER_TIMEOUT|NOTSENT_LOWAT|SAVE_SYN|REPAIR)$/,
  /^BPF_(?:MAP_(?:CREATE|LOOKUP|UPDATE|DELETE|GET_NEXT|FREEZE)|PROG_(?:LOAD|ATTACH|DETACH|RUN|GET|QUERY|BIND)|OBJ_)/,
  /^BPF_(?:RAW_TRACEPOINT_OPEN|BTF_(?:LOAD|GET)|TASK_FD_QUERY|LINK_(?:CREATE|UPDATE|GET|DETACH)|ENABLE_STATS|ITER_CREATE)/,
];

function rank(name: string): number {
  if (PREFERRED.some((pattern) => pattern.test(name))) return 2;
  return POOR.some((pattern) => pattern.test(name)) ? 0 : 1;
}

/** `AF_` is a beginning, `_OK` an ending, and `SIG` stands for names of one word: SIGHUP, not SIGEV_NONE. */
function belongs(name: string, prefix: string): boolean {
  if (prefix.startsWith('_')) return name.endsWith(prefix);
  // F_OK is of access(2), not of fcntl(2).
  if (!name.startsWith(prefix) || name.endsWith('_OK')) return false;
  return prefix.endsWith('_') || !name.includes('_', prefix.length);
}

function namesOf(arch: ArchName, prefix: string): ReadonlyMap<bigint, string> {
  const key = `${arch}:${prefix}`;
  const known = printing.get(key);
  if (known !== undefined) return known;
  const names = new Map<bigint, string>();
  for (const name of constantNames(arch)) {
    const value = belongs(name, prefix) ? constant(arch, name) : undefined;
    if (value === undefined) continue;
    const present = names.get(value);
    if (present === undefined || rank(name) > rank(present)) names.set(value, name);
  }
  printing.set(key, names);
  return names;
}

/**
 * A name for a value among the constants of a prefix: `AF_`, or `SIG` for names of one word, or an ending: `_OK`. The first by
 * name where several have the value, names such as AF_MAX last.
 */
export function constantName(arch: ArchName, prefix: string, value: bigint): string | undefined {
  return namesOf(arch, prefix).get(value);
}

/** Whether most constants of a prefix are single bits, so that a value may be several of them. */
export function areFlags(arch: ArchName, prefix: string): boolean {
  // Sizes of huge pages are a number among flags.
  const values = [...namesOf(arch, prefix)].flatMap(([value, name]) =>
    value > 0n && !name.includes('_HUGE_') ? [value] : [],
  );
  return 2 * values.filter((value) => (value & (value - 1n)) === 0n).length > values.length;
}
