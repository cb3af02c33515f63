import { ARGUMENT_ROOM, argumentProgram, SELECTOR, SELECTOR_KEY, TUPLE, TUPLE_KEY } from '../ebpf/argument-program.ts';
import type { Btf } from '../ebpf/btf.ts';
import { COMPAT, IN_PROGRAM } from '../ebpf/layout.ts';
import { SELECTORS } from '../facts/selector-table.ts';
import { type Selector, selectorsOf } from '../facts/selectors.ts';
import { syscallNumber } from '../facts/syscalls.ts';
import {
  attachTracepoint,
  createMap,
  loadProgram,
  MAP_HASH,
  type MapContent,
  type MapShape,
  readMap,
  setElement,
} from '../kernel/bpf.ts';
import type { ObservedArch } from './abi.ts';
import { MOST_TUPLES } from './arguments.ts';
import type { ExecutableCall } from './tally.ts';

/** The arguments of calls that eBPF counts; see ebpf/argument-program.ts. */

const SHAPES = {
  selectors: {
    name: 'selectors',
    type: MAP_HASH,
    key: SELECTOR_KEY.size,
    value: SELECTOR.size,
    entries: ARGUMENT_ROOM.selectors,
  },
  tuples: { name: 'tuples', type: MAP_HASH, key: TUPLE_KEY.size, value: TUPLE.size, entries: ARGUMENT_ROOM.tuples },
} as const satisfies { readonly [name: string]: MapShape };

const ABIS: readonly ObservedArch[] = ['x86_64', 'x32', 'i386'];

/** One kind of call by its key in the map; `key` tells it from all others. */
export interface Tuple {
  readonly image: number;
  readonly nr: number;
  readonly isCompat: boolean;
  readonly isProgram: boolean;
  readonly args: readonly bigint[];
  readonly count: number;
  readonly ip: bigint;
  readonly tid: number;
  readonly key: string;
}

export class ArgumentTracer {
  readonly #tuples: number;

  /**
   * Loads and attaches the program. It must be attached before the one that counts all calls: what that one has counted, this one has.
   *
   * @param keep - is told of all descriptors
   * @throws {SyscallError}
   */
  constructor(btf: Btf, processes: number, keep: (fd: number) => number) {
    const selectors = keep(createMap(SHAPES.selectors));
    this.#tuples = keep(createMap(SHAPES.tuples));
    for (const arch of ABIS) for (const call of Object.keys(SELECTORS)) setSelectors(selectors, arch, call);
    const code = argumentProgram(btf, { processes, selectors, tuples: this.#tuples });
    const tracepoint = btf.typedef('btf_trace_sys_enter');
    keep(attachTracepoint(keep(loadProgram({ name: 'arguments', code, tracepoint })), 'sys_enter'));
  }

  read(): readonly Tuple[] {
    return tuplesOf(readMap(this.#tuples, SHAPES.tuples));
  }
}

function setSelectors(map: number, arch: ObservedArch, call: string): void {
  const nr = syscallNumber(arch, call);
  const selectors = selectorsOf(arch, call);
  if (nr === undefined || selectors.length === 0) return;
  const key = Buffer.alloc(SELECTOR_KEY.size);
  key.writeUInt32LE(nr, SELECTOR_KEY.nr);
  key.writeUInt32LE(arch === 'i386' ? COMPAT : 0, SELECTOR_KEY.compat);
  const value = Buffer.alloc(SELECTOR.size);
  for (const { index, number, flags } of selectors) value.writeBigUInt64LE(number | flags, 8 * index);
  setElement(map, key, value);
}

function tuplesOf({ count, keys, values }: MapContent): readonly Tuple[] {
  return Array.from({ length: count }, (_, index) => {
    const key = keys.subarray(TUPLE_KEY.size * index, TUPLE_KEY.size * (index + 1));
    const value = values.subarray(TUPLE.size * index, TUPLE.size * (index + 1));
    const bits = key.readUInt32LE(TUPLE_KEY.bits);
    return {
      image: key.readUInt32LE(TUPLE_KEY.image),
      nr: key.readUInt32LE(TUPLE_KEY.nr),
      isCompat: (bits & COMPAT) !== 0,
      isProgram: (bits & IN_PROGRAM) !== 0,
      args: [0, 1, 2, 3, 4, 5].map((at) => key.readBigUInt64LE(TUPLE_KEY.args + 8 * at)),
      count: Number(value.readBigUInt64LE(TUPLE.count)),
      ip: value.readBigUInt64LE(TUPLE.ip),
      tid: value.readUInt32LE(TUPLE.tid),
      key: key.toString('latin1'),
    };
  });
}

/** The values of selectors among the arguments of a tuple, in their order. */
export function valuesIn({ args }: Tuple, selectors: readonly Selector[]): readonly bigint[] {
  return selectors.map(({ index, number, flags }) => (args[index] ?? 0n) & (number | flags));
}

/**
 * Splits a call into the kinds that are known of it, the most frequent ones; what is not accounted for stays without values. Errors are those of the call, whatever
 * its arguments.
 *
 * @param kinds - of the call's executable, phase, ABI and number
 */
export function splitCall(call: ExecutableCall, kinds: readonly ExecutableCall[]): readonly ExecutableCall[] {
  const kept = [...kinds].sort((a, b) => b.count - a.count).slice(0, MOST_TUPLES);
  const rest = call.count - kept.reduce((sum, { count }) => sum + count, 0);
  const errnos = call.errnos === undefined ? {} : { errnos: call.errnos };
  return [...kept.map((kind) => ({ ...kind, ...errnos })), ...(rest > 0 ? [{ ...call, count: rest }] : [])];
}
