import { readFileSync, readlinkSync } from 'node:fs';
import { ARCHES } from '../facts/arches.ts';
import { NATIVE_ARCH } from '../kernel/native.ts';
import { processStatus, readMemory } from '../kernel/process.ts';
import { abiOf, callKey, type ObservedArch, tableByKey } from './abi.ts';

/**
 * When the command is ready: its start-up is over, and its service begins. All signs but one are seen in the calls themselves, before the
 * kernel runs them, so that no call of the service is taken for one of start-up however fast it follows.
 */

/** How a command says that it is ready. */
export type ReadySign =
  /** Its first listen(2); an accept(2) before any is of the service: somebody else listened for it. */
  | { readonly kind: 'listen' }
  /** It writes a newline to a descriptor, or closes it. */
  | { readonly kind: 'fd'; readonly fd: number }
  /** A line with this text on its standard output or error. */
  | { readonly kind: 'line'; readonly text: string }
  /** It sends this signal to its parent, or somebody sends it to Selkie. */
  | { readonly kind: 'signal'; readonly signal: number }
  /** A TCP port of its network namespace listens. */
  | { readonly kind: 'port'; readonly port: number };

/** What the worker is told. */
export interface ReadyOptions {
  readonly sign: ReadySign;
  /** Not 0: somebody sent Selkie the signal. */
  readonly told: Int32Array;
  /** What /proc shows of the descriptor of `fd`. */
  readonly link?: string;
}

type Watched = 'listen' | 'accept' | 'write' | 'writev' | 'close' | 'kill' | 'tgkill' | 'socketcall';

const WATCHED = tableByKey<Watched>({
  listen: 'listen',
  accept: 'accept',
  accept4: 'accept',
  write: 'write',
  writev: 'writev',
  close: 'close',
  kill: 'kill',
  rt_sigqueueinfo: 'kill',
  tkill: 'kill',
  tgkill: 'tgkill',
  socketcall: 'socketcall',
});

/** net/socket.c, socketcall(2): first argument. */
const SOCKETCALLS: Readonly<Record<number, Watched>> = { 4: 'listen', 5: 'accept', 18: 'accept' };

const CONCERNS: { readonly [K in ReadySign['kind']]: readonly Watched[] } = {
  listen: ['listen', 'accept', 'socketcall'],
  fd: ['write', 'writev', 'close'],
  line: ['write', 'writev'],
  signal: ['kill', 'tgkill'],
  port: ['listen', 'socketcall'],
};

/** A call that waits for us, before the kernel runs it. */
export interface WaitingCall {
  readonly tid: number;
  readonly nr: number;
  /** AUDIT_ARCH_*, unsigned. */
  readonly token: number;
  /** An argument as filters see it. */
  argument(index: number): bigint;
}

/** The same, as far as signs are in it. */
interface Call {
  readonly tid: number;
  readonly arch: ObservedArch;
  readonly watched: Watched | undefined;
  argument(index: number): bigint;
}

/** `now`: the call is the service's already; `after`: the next one is. */
export type ReadyAnswer = 'no' | 'now' | 'after';

/** Whether a call of this machine's own ABI by this number may be the sign. */
export function isOfSign({ kind }: ReadySign, nr: number): boolean {
  const watched = WATCHED.get(callKey(NATIVE_ARCH, nr));
  return watched !== undefined && CONCERNS[kind].includes(watched);
}

/** Looks for the sign in calls. */
export class ReadyWatch {
  readonly #sign: ReadySign;
  readonly #told: Int32Array;
  readonly #link: string | undefined;
  /** Threads that were seen to call listen(2): at their next call the port is looked for. */
  readonly #listening = new Set<number>();
  /** The end of what was written to standard output and error. */
  readonly #tails = new Map<number, Buffer>();

  constructor({ sign, told, link }: ReadyOptions) {
    this.#sign = sign;
    this.#told = told;
    this.#link = link;
  }

  /** Whether every call must be seen here. */
  get seesAll(): boolean {
    return this.#sign.kind === 'signal' || this.#listening.size > 0;
  }

  /** Whether calls of an ABI and number (by callKey) must be seen here as long as the command is not ready. */
  concerns(key: number): boolean {
    if (this.seesAll) return true;
    const watched = WATCHED.get(key);
    return watched !== undefined && CONCERNS[this.#sign.kind].includes(watched);
  }

  see({ tid, nr, token, argument }: WaitingCall): ReadyAnswer {
    if (Atomics.load(this.#told, 0) !== 0) return 'now';
    const arch = abiOf(token, nr);
    if (arch === undefined) return 'no';
    if (this.#listening.delete(tid) && this.#isPortOpen(tid)) return 'now';
    return this.#look({ tid, arch, watched: whatIs(callKey(arch, nr), argument), argument });
  }

  #look(call: Call): ReadyAnswer {
    const sign = this.#sign;
    const { watched } = call;
    if (watched === undefined || !CONCERNS[sign.kind].includes(watched)) return 'no';
    if (sign.kind === 'listen') return watched === 'listen' ? 'after' : watched === 'accept' ? 'now' : 'no';
    if (sign.kind === 'port' && watched === 'listen') this.#listening.add(call.tid);
    const isSeen =
      (sign.kind === 'fd' && this.#isNotice(call)) ||
      (sign.kind === 'line' && this.#hasLine(call, sign.text)) ||
      (sign.kind === 'signal' && isToParent(call, sign.signal));
    return isSeen ? 'after' : 'no';
  }

  #isNotice(call: Call): boolean {
    if (linkOf(call.tid, fdOf(call)) !== this.#link) return false;
    // Memory that we may not read is taken for a newline: rather too early than too late.
    return call.watched === 'close' || (written(call)?.includes('\n') ?? true);
  }

  #hasLine(call: Call, text: string): boolean {
    const fd = fdOf(call);
    const bytes = fd === 1 || fd === 2 ? written(call) : undefined;
    if (bytes === undefined) return false;
    const all = Buffer.concat([this.#tails.get(fd) ?? Buffer.alloc(0), bytes]);
    const wanted = Buffer.from(text);
    this.#tails.set(fd, all.subarray(Math.max(0, all.length - wanted.length + 1)));
    return all.includes(wanted);
  }

  #isPortOpen(tid: number): boolean {
    return this.#sign.kind === 'port' && isListening(tid, this.#sign.port);
  }
}

function whatIs(key: number, argument: (index: number) => bigint): Watched | undefined {
  const watched = WATCHED.get(key);
  return watched === 'socketcall' ? SOCKETCALLS[Number(argument(0) & 0xffn)] : watched;
}

const fdOf = ({ argument }: Call): number => Number(argument(0) & 0xffff_ffffn);

function linkOf(tid: number, fd: number): string | undefined {
  try {
    return readlinkSync(`/proc/${tid}/fd/${fd}`);
  } catch {
    return undefined;
  }
}

/** In bytes: more of one call is not looked at. */
const LARGEST_WRITE = 1 << 20;
const MOST_PARTS = 64;

/** What write(2) or writev(2) is about to write; undefined where its memory may not be read. */
function written({ tid, arch, watched, argument }: Call): Buffer | undefined {
  const read = (address: bigint, length: bigint): Uint8Array | undefined =>
    length === 0n ? new Uint8Array() : readMemory(tid, address, Math.min(LARGEST_WRITE, Number(length)));
  if (watched === 'write') {
    const bytes = read(argument(1), argument(2));
    return bytes && Buffer.from(bytes);
  }
  const size = ARCHES[arch].bits / 8;
  const count = Math.min(MOST_PARTS, Number(argument(2) & 0xffff_ffffn));
  const table = read(argument(1), BigInt(2 * size * count));
  if (table === undefined) return undefined;
  const view = Buffer.from(table);
  const word = (index: number): bigint =>
    size === 8 ? view.readBigUInt64LE(8 * index) : BigInt(view.readUInt32LE(4 * index));
  const parts = Array.from({ length: count }, (_, index) => read(word(2 * index), word(2 * index + 1)));
  return parts.some((part) => part === undefined) ? undefined : Buffer.concat(parts as Uint8Array[]);
}

/** kill(2) and rt_sigqueueinfo(2): pid, signal; tkill(2) the same of threads; tgkill(2): process, thread, signal. */
function isToParent({ watched, argument }: Call, signal: number): boolean {
  const [pid, sent] = [0, watched === 'tgkill' ? 2 : 1].map((index) => Number(argument(index) & 0xffff_ffffn)) as [
    number,
    number,
  ];
  // The command's parent is the guard, whose parent we are.
  return sent === signal && (pid === process.pid || processStatus(pid)?.ppid === process.pid);
}

/** State LISTEN of include/net/tcp_states.h, as /proc/net/tcp writes it: `sl local_address:port remote st ...`. */
function isListening(tid: number, port: number): boolean {
  const local = port.toString(16).toUpperCase().padStart(4, '0');
  const line = new RegExp(`^ *\\d+: [0-9A-F]+:${local} [0-9A-F]+:[0-9A-F]+ 0A `, 'm');
  return ['tcp', 'tcp6'].some((file) => {
    try {
      return line.test(readFileSync(`/proc/${tid}/net/${file}`, 'latin1'));
    } catch {
      return false;
    }
  });
}
