import { COMPAT, COUNT, COUNT_KEY, IMAGE, IN_PROGRAM } from '../ebpf/layout.ts';
import { ARCHES } from '../facts/arches.ts';
import type { MapContent } from '../kernel/bpf.ts';
import { executableOf, findMapping } from '../kernel/process.ts';
import { abiOf } from './abi.ts';
import type { ExecutableCall, Phase } from './tally.ts';

/** What the maps of the tracing programs say, read again and again: calls by executable, phase, ABI and number. */

type Site = Pick<ExecutableCall, 'module' | 'offset'>;

interface Traced extends Omit<ExecutableCall, 'count'> {
  readonly count: number;
}

export class TracedCalls {
  readonly #paths = new Map<number, string>();
  readonly #sites = new Map<string, Site>();
  #calls: readonly Traced[] = [];

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

  /** Takes the content of the map of counts. @returns the sum of all calls */
  update({ count, keys, values }: MapContent): number {
    const calls = Array.from({ length: count }, (_, index) =>
      this.#call(
        keys.subarray(COUNT_KEY.size * index, COUNT_KEY.size * (index + 1)),
        values.subarray(COUNT.size * index, COUNT.size * (index + 1)),
      ),
    );
    this.#calls = calls;
    return calls.reduce((sum, call) => sum + call.count, 0);
  }

  /** What `update` took, one line for each executable, phase, ABI and number. */
  results(): readonly ExecutableCall[] {
    const joined = new Map<string, ExecutableCall>();
    for (const call of this.#calls) {
      const key = JSON.stringify([call.exe, call.phase, call.arch, call.nr]);
      const known = joined.get(key);
      joined.set(key, known === undefined ? { ...call } : join(known, call));
    }
    return [...joined.values()];
  }

  #call(key: Buffer, value: Buffer): Traced {
    const nr = key.readUInt32LE(COUNT_KEY.nr);
    const bits = key.readUInt32LE(COUNT_KEY.bits);
    const exe = this.#paths.get(key.readUInt32LE(COUNT_KEY.image)) ?? '[unknown]';
    const phase: Phase = (bits & IN_PROGRAM) === 0 ? 'start' : 'program';
    const arch = abiOf((bits & COMPAT) === 0 ? ARCHES.x86_64.token : ARCHES.i386.token, nr) ?? 'x86_64';
    const ip = value.readBigUInt64LE(COUNT.ip);
    const site = this.#site(key.toString('latin1'), value.readUInt32LE(COUNT.tid), exe, ip);
    const count = Number(value.readBigUInt64LE(COUNT.count));
    const denied = Number(value.readBigUInt64LE(COUNT.denied));
    return { exe, phase, arch, nr, count, denied, ip, ...site, errnos: errnosOf(value) };
  }

  /** Asked until the process that made the first call answers, or is gone. */
  #site(key: string, tid: number, exe: string, ip: bigint): Site {
    const known = this.#sites.get(key);
    if (known !== undefined) return known;
    const mapping = executableOf(tid) === exe ? findMapping(tid, ip) : undefined;
    const site = mapping && { module: mapping.name, offset: ip - mapping.start + mapping.offset };
    if (site !== undefined) this.#sites.set(key, site);
    return site ?? {};
  }
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
