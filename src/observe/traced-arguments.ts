import {
  ARGUMENT_ROOM,
  type ArgumentMaps,
  argumentProgram,
  SELECTOR,
  SELECTOR_KEY,
  TUPLE,
  TUPLE_KEY,
} from '../ebpf/argument-program.ts';
import type { Btf } from '../ebpf/btf.ts';
import { COMPAT } from '../ebpf/layout.ts';
import { SELECTORS } from '../facts/selector-table.ts';
import { type Selector, selectorsOf } from '../facts/selectors.ts';
import { syscallName, syscallNumber } from '../facts/syscalls.ts';
import {
  attachTracepoint,
  createMap,
  loadProgram,
  MAP_HASH,
  type MapContent,
  type MapShape,
  readMap,
  roomFor,
  setElement,
} from '../kernel/bpf.ts';
import type { ObservedArch } from './abi.ts';
import { callOf, type TracedKey } from './traced-key.ts';

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
export interface Tuple extends TracedKey {
  /** Of its selectors, in their order. */
  readonly values: readonly bigint[];
  readonly count: number;
  readonly ip: bigint;
  readonly tid: number;
  readonly key: string;
}

export class ArgumentTracer {
  readonly #tuples: number;
  readonly #room = roomFor(SHAPES.tuples);

  /**
   * Loads and attaches the program. It must be attached before the one that counts all calls: what that one has counted, this one has.
   *
   * @param keep - is told of all descriptors
   * @throws {SyscallError}
   */
  constructor(btf: Btf, maps: Pick<ArgumentMaps, 'processes' | 'callers'>, keep: (fd: number) => number) {
    const selectors = keep(createMap(SHAPES.selectors));
    this.#tuples = keep(createMap(SHAPES.tuples));
    for (const arch of ABIS) for (const call of Object.keys(SELECTORS)) setSelectors(selectors, arch, call);
    const code = argumentProgram(btf, { ...maps, selectors, tuples: this.#tuples });
    const tracepoint = btf.typedef('btf_trace_sys_enter');
    keep(attachTracepoint(keep(loadProgram({ name: 'arguments', code, tracepoint })), 'sys_enter'));
  }

  read(): readonly Tuple[] {
    return tuplesOf(readMap(this.#tuples, SHAPES.tuples, this.#room));
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
    const call = callOf(key);
    const { arch, nr } = call;
    return {
      ...call,
      values: valuesIn(key, selectorsOf(arch, syscallName(arch, nr) ?? '')),
      count: Number(value.readBigUInt64LE(TUPLE.count)),
      ip: value.readBigUInt64LE(TUPLE.ip),
      tid: value.readUInt32LE(TUPLE.tid),
      key: key.toString('latin1'),
    };
  });
}

function valuesIn(key: Buffer, selectors: readonly Selector[]): readonly bigint[] {
  return selectors.map(
    ({ index, number, flags }) => key.readBigUInt64LE(TUPLE_KEY.args + 8 * index) & (number | flags),
  );
}
