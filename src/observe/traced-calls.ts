import { CALL_KEY, COUNT, IMAGE } from '../ebpf/layout.ts';
import type { MapContent } from '../kernel/bpf.ts';
import { executableMappings, executableOf, type Mapping } from '../kernel/process.ts';
import { MOST_TUPLES } from './arguments.ts';
import type { ExecutableCall } from './tally.ts';
import type { Tuple } from './traced-arguments.ts';
import { callOf, countHits } from './traced-key.ts';

/** What the maps of the tracing programs say, read again and again: calls by executable, phase, ABI and number. */

type Site = Pick<ExecutableCall, 'module' | 'offset'>;

interface Thread {
  readonly exe: string | undefined;
  readonly mappings: readonly Mapping[];
}

interface Traced extends Omit<ExecutableCall, 'count'> {
  readonly count: number;
}

export class TracedCalls {
  readonly #paths = new Map<number, string>();
  readonly #sites = new Map<string, Site>();
  readonly #known = new Set<string>();
  #calls: readonly Traced[] = [];
  #kinds: readonly ExecutableCall[] = [];
  /** Of threads as this reading found them: most of them made several first calls. */
  readonly #threads = new Map<number, Thread>();
  /** Kinds of calls when takeFresh was asked last. */
  #told = 0;

  nameImage(image: number, path: string): void {
    this.#paths.set(image, path);
  }

  pathOf(image: number): string | undefined {
    return this.#paths.get(image);
  }

  /** Names executables by the content of the map of images. */
  addImages({ count, values }: MapContent): void {
    for (let index = 0; index < count; index += 1) {
      const value = values.subarray(IMAGE.size * index, IMAGE.size * (index + 1));
      this.#paths.set(value.readUInt32LE(IMAGE.id), pathOf(value));
    }
  }

  /** Takes the content of the map of counts, and of the places for hits. @returns the sum of all calls */
  update({ count, keys, values }: MapContent, hits: Buffer): number {
    this.#threads.clear();
    const more = countHits(hits);
    const calls = Array.from({ length: count }, (_, index) => {
      const key = keys.subarray(CALL_KEY.size * index, CALL_KEY.size * (index + 1));
      const value = values.subarray(COUNT.size * index, COUNT.size * (index + 1));
      return this.#call(key, value, more.get(key.readBigUInt64LE()) ?? 0);
    });
    this.#calls = calls;
    return calls.reduce((sum, call) => sum + call.count, 0);
  }

  /** Takes the arguments of calls, after `update`. */
  updateArguments(tuples: readonly Tuple[]): void {
    this.#kinds = tuples.map((tuple) => this.#kind(tuple));
  }

  /** What `update` took, one line for each executable, phase, ABI and number, and values of selectors where they are known. */
  results(): readonly ExecutableCall[] {
    const kinds = new Map<string, ExecutableCall[]>();
    for (const kind of joined(this.#kinds)) kinds.set(keyOf(kind), [...(kinds.get(keyOf(kind)) ?? []), kind]);
    return joined(this.#calls).flatMap((call) => splitCall(call, kinds.get(keyOf(call)) ?? []));
  }

  #kind(tuple: Tuple): ExecutableCall {
    const { phase, arch, nr, count, ip, tid, key, values } = tuple;
    const exe = this.#paths.get(tuple.image) ?? '[unknown]';
    return { exe, phase, arch, nr, count, ip, ...this.#site(key, tid, exe, ip), values };
  }

  /** Kinds of calls that results() did not have when it was asked last, each with a count of 1. */
  takeFresh(): readonly ExecutableCall[] {
    // Few reads find a kind more.
    const kinds = this.#calls.length + this.#kinds.length;
    if (kinds === this.#told) return [];
    this.#told = kinds;
    return this.results().flatMap((call) => {
      const key = kindOf(call);
      if (this.#known.has(key)) return [];
      this.#known.add(key);
      return [{ ...call, count: 1 }];
    });
  }

  #call(key: Buffer, value: Buffer, hits: number): Traced {
    const { image, phase, arch, nr } = callOf(key);
    const exe = this.#paths.get(image) ?? '[unknown]';
    const ip = value.readBigUInt64LE(COUNT.ip);
    const site = this.#site(key.toString('latin1'), value.readUInt32LE(COUNT.tid), exe, ip);
    const count = hits + Number(value.readBigUInt64LE(COUNT.count));
    const denied = Number(value.readBigUInt64LE(COUNT.denied));
    return { exe, phase, arch, nr, count, denied, ip, ...site, errnos: errnosOf(value) };
  }

  /** Asked until the process that made the first call answers, or is gone. */
  #site(key: string, tid: number, exe: string, ip: bigint): Site {
    const known = this.#sites.get(key);
    if (known !== undefined) return known;
    const thread = this.#threads.get(tid) ?? { exe: executableOf(tid), mappings: executableMappings(tid) };
    this.#threads.set(tid, thread);
    const { exe: now, mappings } = thread;
    const mapping = now === exe ? mappings.find(({ start, end }) => ip >= start && ip < end) : undefined;
    const site = mapping && { module: mapping.name, offset: ip - mapping.start + mapping.offset };
    if (site !== undefined) this.#sites.set(key, site);
    return site ?? {};
  }
}

const keyOf = ({ exe, phase, arch, nr }: ExecutableCall): string => JSON.stringify([exe, phase, arch, nr]);

const kindOf = (call: ExecutableCall): string => `${keyOf(call)} ${call.values?.join()}`;

/** One line for what differs in the number of its image alone. */
function joined(calls: readonly ExecutableCall[]): readonly ExecutableCall[] {
  const lines = new Map<string, ExecutableCall>();
  for (const call of calls) {
    const key = kindOf(call);
    const known = lines.get(key);
    lines.set(key, known === undefined ? { ...call } : join(known, call));
  }
  return [...lines.values()];
}

function join(a: ExecutableCall, b: ExecutableCall): ExecutableCall {
  const site = a.module === undefined ? b : a;
  const errnos = [...new Set([...(a.errnos ?? []), ...(b.errnos ?? [])])].sort((x, y) => x - y);
  return { ...site, count: a.count + b.count, denied: (a.denied ?? 0) + (b.denied ?? 0), errnos };
}

/** A memory file has a name, but no place: the kernel prints it so. */
function pathOf(value: Buffer): string {
  const end = IMAGE.names + value.readUInt32LE(IMAGE.length);
  const names = value.toString('utf8', IMAGE.names, end).split('\0').slice(0, -1);
  const path = `/${names.reverse().join('/')}`;
  return path.startsWith('/memfd:') ? `${path} (deleted)` : path;
}

function errnosOf(value: Buffer): readonly number[] {
  const errnos: number[] = [];
  for (let errno = 1; errno <= COUNT.largestErrno; errno += 1)
    if (((value[COUNT.errnos + (errno >> 3)] ?? 0) >> (errno & 7)) & 1) errnos.push(errno);
  return errnos;
}

/**
 * Splits a call into the kinds that are known of it, the most frequent ones; what is not accounted for stays without values. Errors are those of the call, whatever
 * its arguments.
 *
 * @param kinds - of the call's executable, phase, ABI and number
 */
function splitCall(call: ExecutableCall, kinds: readonly ExecutableCall[]): readonly ExecutableCall[] {
  const kept = [...kinds].sort((a, b) => b.count - a.count).slice(0, MOST_TUPLES);
  const rest = call.count - kept.reduce((sum, { count }) => sum + count, 0);
  const errnos = call.errnos === undefined ? {} : { errnos: call.errnos };
  return [...kept.map((kind) => ({ ...kind, ...errnos })), ...(rest > 0 ? [{ ...call, count: rest }] : [])];
}
