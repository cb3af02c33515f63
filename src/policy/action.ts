import { PolicyError } from '../base/errors.ts';
import { didYouMean } from '../base/nearest.ts';
import { ARCH_NAMES, type ArchName } from '../facts/arches.ts';
import { errnoName, errnoNames, errnoNumber } from '../facts/errnos.ts';
import {
  MAX_ERRNO,
  SECCOMP_RET_ACTION_FULL,
  SECCOMP_RET_ALLOW,
  SECCOMP_RET_DATA,
  SECCOMP_RET_ERRNO,
  SECCOMP_RET_KILL_PROCESS,
  SECCOMP_RET_KILL_THREAD,
  SECCOMP_RET_LOG,
  SECCOMP_RET_TRACE,
  SECCOMP_RET_TRAP,
  SECCOMP_RET_USER_NOTIF,
} from '../facts/seccomp.ts';
import type { Action } from './model.ts';
import { parseNumber } from './number.ts';
import { fail, type Locate, nowhere, quote } from './source.ts';

const PLAIN = ['allow', 'log', 'notify', 'return_zero', 'kill_thread', 'kill_process'] as const;
const SPELLINGS = [...PLAIN, 'errno(EPERM)', 'trace(0)', 'trap(0)'];
const WANTED = 'wanted allow, log, notify, trace(n), errno(NAME), return_zero, trap(n), kill_thread or kill_process';

/** The shape of an action's text: what `parseAction` accepts, but for unknown errno names and values out of range. */
export const ACTION_PATTERN: RegExp =
  /^(?:allow|log|notify|return_zero|kill_thread|kill_process|errno\((?:[A-Z][A-Z0-9_]*|[0-9]+|0x[0-9a-fA-F]+|0o[0-7]+)\)|(?:trace|trap)\((?:[0-9]+|0x[0-9a-fA-F]+|0o[0-7]+)\))$/;

/** What people write who come from elsewhere, and what they are told. */
const HINTS: Readonly<Record<string, string>> = {
  kill: 'write kill_process (the whole process) or kill_thread',
  deny: 'write errno(EPERM) to refuse the call, or kill_process',
  block: 'write errno(EPERM) to refuse the call, or kill_process',
  errno: 'write errno(NAME), for example errno(EPERM)',
  trap: 'write trap(n), n from 0 to 65535',
  trace: 'write trace(n), n from 0 to 65535',
};

/**
 * Reads an action: `allow`, `errno(EPERM)`, `trap(3)`, …
 *
 * @param locate - place of an offset in `text`, for messages
 * @throws {PolicyError} `unknown_action`, `unknown_errno`, `errno_range`, `data_range` and those of numbers
 */
export function parseAction(text: string, locate: Locate = nowhere): Action {
  const plain = PLAIN.find((kind) => kind === text);
  if (plain) return { kind: plain };
  const call = /^(errno|trace|trap)\(([^()\s]+)\)$/.exec(text);
  if (!call) return refuse(text, locate);
  const [, kind, data] = call as unknown as [string, 'errno' | 'trace' | 'trap', string];
  const offset = text.indexOf(data, kind.length);
  return kind === 'errno' ? parseErrno(data, locate, offset) : { kind, data: parseData(kind, data, locate, offset) };
}

function refuse(text: string, locate: Locate): never {
  const word = /^[A-Za-z_]*/.exec(text.trim())?.[0] ?? '';
  const hint = HINTS[word];
  if (hint) fail('unknown_action', `${quote(text)} is no action: ${hint}`, locate, 0);
  const near = didYouMean(text, SPELLINGS);
  fail('unknown_action', `${quote(text)} is no action${near || `: ${WANTED}`}`, locate, 0);
}

function parseErrno(text: string, locate: Locate, offset: number): Action {
  if (/^[A-Za-z_]/.test(text)) {
    if (ARCH_NAMES.some((arch) => errnoNumber(arch, text) !== undefined)) return { kind: 'errno', errno: text };
    const near = didYouMean(text.toUpperCase(), errnoNames('x86_64'));
    fail('unknown_errno', `${quote(text)} is no errno${near || ': wanted a name such as EPERM'}`, locate, offset);
  }
  const { value } = parseNumber(text, locate, offset);
  if (value === 0n) {
    const hint = 'the call is skipped and seems to succeed: write return_zero if that is wanted';
    fail('errno_range', `errno(0) is no error: ${hint}`, locate, offset);
  }
  if (value > BigInt(MAX_ERRNO)) {
    fail('errno_range', `${quote(`errno(${text})`)} is out of range: wanted 1 to ${MAX_ERRNO}`, locate, offset);
  }
  return { kind: 'errno', errno: Number(value) };
}

function parseData(kind: string, text: string, locate: Locate, offset: number): number {
  const { value } = parseNumber(text, locate, offset);
  if (value > 0xffffn)
    fail('data_range', `${quote(`${kind}(${text})`)} is out of range: wanted 0 to 65535`, locate, offset);
  return Number(value);
}

/** Writes an action so that `parseAction` gives it back. */
export function printAction(action: Action): string {
  if (action.kind === 'errno') return `errno(${action.errno})`;
  return 'data' in action ? `${action.kind}(${action.data})` : action.kind;
}

const RETURNS = {
  allow: SECCOMP_RET_ALLOW,
  log: SECCOMP_RET_LOG,
  notify: SECCOMP_RET_USER_NOTIF,
  return_zero: SECCOMP_RET_ERRNO,
  kill_thread: SECCOMP_RET_KILL_THREAD,
  kill_process: SECCOMP_RET_KILL_PROCESS,
  trace: SECCOMP_RET_TRACE,
  trap: SECCOMP_RET_TRAP,
} as const;

/**
 * What a filter returns for an action: SECCOMP_RET_* with its data, unsigned 32 bits.
 *
 * @throws {PolicyError} `unknown_errno` for a name that this ABI lacks
 * @see include/uapi/linux/seccomp.h
 */
export function encodeAction(action: Action, arch: ArchName): number {
  if (action.kind !== 'errno') return (RETURNS[action.kind] | ('data' in action ? action.data : 0)) >>> 0;
  const number = typeof action.errno === 'number' ? action.errno : errnoNumber(arch, action.errno);
  if (number === undefined) throw new PolicyError('unknown_errno', `"${action.errno}" is no errno of ${arch}`);
  return (SECCOMP_RET_ERRNO | number) >>> 0;
}

/** The action that `encodeAction` makes a value from; values as `canonicalAction` writes them. */
export function actionOf(returned: number, arch: ArchName): Action {
  const action = (returned & SECCOMP_RET_ACTION_FULL) >>> 0;
  const data = returned & SECCOMP_RET_DATA;
  if (action === SECCOMP_RET_ERRNO)
    return data === 0 ? { kind: 'return_zero' } : { kind: 'errno', errno: errnoName(arch, data) ?? data };
  if (action === SECCOMP_RET_TRACE) return { kind: 'trace', data };
  if (action === SECCOMP_RET_TRAP) return { kind: 'trap', data };
  return { kind: PLAIN.find((kind) => RETURNS[kind] === action) ?? 'kill_process' };
}
