import { ARCHES, type ArchName, X32_SYSCALL_BIT } from '../../facts/arches.ts';
import { CallCounts, decodeHex, type LogParser, UNKNOWN_EXE, unsigned } from './log.ts';

/**
 * Records of the audit log: SECCOMP (1326) and SYSCALL (1300), raw, enriched, interpreted (`ausearch -i`), or in the kernel's log.
 * Source: kernel/auditsc.c audit_seccomp, audit_log_exit; include/uapi/linux/audit.h (v6.18).
 */
const RECORD = /\btype=(SECCOMP|1326|SYSCALL|1300)\b/;
/** Other records of an event, and what ausearch puts between events. */
const OTHER = /^(?:node=\S+ )?type=[A-Z0-9_[\]]+ |^----$|^time->|\baudit: type=\d+ /;

/** SECCOMP_RET_LOG, SECCOMP_RET_ALLOW and _TRACE and _USER_NOTIF: the call was made, or somebody else decided. */
const LET_THROUGH =
  /^(?:0x7ffc0000|0x7fff[0-9a-f]{4}|0x7ff0[0-9a-f]{4}|0x7fc0[0-9a-f]{4}|log|allow|trace|notify|user-notif)/;

/** @returns whether a line is a record that this parser reads */
export const isAudit = (line: string): boolean => RECORD.test(line);

/** Reads audit records, each by itself. */
export function auditParser(): LogParser {
  const counts = new CallCounts();
  const unread = { arches: new Set<string>() };
  const line = (text: string): boolean => {
    const type = RECORD.exec(text)?.[1];
    if (type === undefined) return text.trim() === '' || OTHER.test(text);
    return addRecord(text, type === 'SECCOMP' || type === '1326', counts, unread.arches);
  };
  return {
    file: () => {},
    line,
    calls: () => counts.all(),
    notes: () => [...unread.arches].map((arch) => `records of the ABI ${arch} are left out: no ABI that Selkie knows`),
  };
}

function addRecord(text: string, isSeccomp: boolean, counts: CallCounts, unknownArches: Set<string>): boolean {
  const call = field(text, 'syscall');
  const token = field(text, 'arch');
  if (call === undefined || token === undefined) return false;
  const number = /^-?\d+$/.test(call) ? unsigned(call) : undefined;
  const arch = archOf(token, number);
  if (arch === undefined) {
    unknownArches.add(token);
    return true;
  }
  const ip = field(text, 'ip');
  counts.add({
    exe: executable(text),
    arch,
    ...(number === undefined ? { name: call } : { nr: number }),
    phase: 'program',
    count: 1,
    denied: isSeccomp && !LET_THROUGH.test(field(text, 'code') ?? '') ? 1 : 0,
    ...(ip?.startsWith('0x') && { address: BigInt(ip) }),
  });
  return true;
}

/** `x32` is x86_64 with a bit in the number; a token is hexadecimal, interpreted it is the machine's name. */
function archOf(token: string, number: number | undefined): ArchName | undefined {
  const value = /^[0-9a-f]{8}$/.test(token) ? Number.parseInt(token, 16) : undefined;
  const found = Object.values(ARCHES).find(
    ({ name, token: own }) => own === value || name === token || MACHINES[token] === name,
  );
  const hasBit = number !== undefined && number < 2 * X32_SYSCALL_BIT && (number & X32_SYSCALL_BIT) !== 0;
  return found?.name === 'x86_64' && hasBit ? 'x32' : found?.name;
}

/** What auditd's tools call machines where Selkie has another name. Source: ausearch(8), lib/machinetab of audit-userspace. */
const MACHINES: Readonly<Record<string, ArchName>> = {
  i686: 'i386',
  i486: 'i386',
  i586: 'i386',
  armeb: 'arm',
  armv7l: 'arm',
};

/** The value of KEY=VALUE, without quotes; undefined where there is none. */
function field(text: string, key: string): string | undefined {
  const match = new RegExp(`(?:^|\\s)${key}=(?:"([^"]*)"|(\\S+))`).exec(text);
  return match?.[1] ?? match?.[2];
}

/** The path, else the short name. The kernel writes strings with blanks, quotes or bytes beyond ASCII in hexadecimal, unquoted. */
function executable(text: string): string {
  for (const key of ['exe', 'comm']) {
    const isQuoted = new RegExp(`(?:^|\\s)${key}="`).test(text);
    const value = field(text, key);
    if (value === undefined || value === '(null)') continue;
    return !isQuoted && /^(?:[0-9A-F]{2})+$/.test(value) ? decodeHex(value) : value;
  }
  return UNKNOWN_EXE;
}
