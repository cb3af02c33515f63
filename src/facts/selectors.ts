import type { ArchName } from './arches.ts';
import { parameters } from './prototypes.ts';
import { SELECTORS } from './selector-table.ts';

/** Selector arguments: those by which a call does one thing or another, and that a filter can see. The table and its rule: selector-table.ts. */
export interface Selector {
  /** The man page's name. */
  readonly argument: string;
  /** Index of `args` in struct seccomp_data. */
  readonly index: number;
  /** Bits that the kernel reads. */
  readonly width: 32 | 64;
  /** Bits that are a number together; only one of the two for an argument that is all one or all the other. */
  readonly number: bigint;
  /** Bits that stand for themselves each. */
  readonly flags: bigint;
  /** Prefixes of the constants of both, as `constantName` takes them. */
  readonly numberNames: string | undefined;
  readonly flagNames: string | undefined;
}

const known = new Map<string, readonly Selector[]>();

/** Selectors of a call in the order of the table; none where it has none, or where the ABI passes them in memory (mmap of i386). */
export function selectorsOf(arch: ArchName, call: string): readonly Selector[] {
  const key = `${arch}:${call}`;
  const found = known.get(key) ?? readSelectors(arch, call);
  known.set(key, found);
  return found;
}

function readSelectors(arch: ArchName, call: string): readonly Selector[] {
  const line = Object.hasOwn(SELECTORS, call) ? SELECTORS[call] : undefined;
  if (line === undefined) return [];
  const selectors = line.split(' ').flatMap((word) => readSelector(arch, call, word) ?? []);
  return selectors.length === line.split(' ').length ? selectors : [];
}

/** NAME, NAME|, NAME#MASK or NAME@MASK, with `:PREFIX` of the number's constants. */
function readSelector(arch: ArchName, call: string, word: string): Selector | undefined {
  const match = /^(\w+)([|#@])?(0x[0-9a-f]+)?(?::(\w+))?$/.exec(word);
  const [, argument = '', kind, mask, prefix] = match ?? [];
  const list = parameters(arch, call) ?? [];
  const index = list.findIndex(({ name }) => name === argument);
  const parameter = list[index];
  if (parameter === undefined || parameter.pointer) return undefined;
  const { width, constants } = parameter;
  const all = (1n << BigInt(width)) - 1n;
  const bits = mask === undefined ? all : BigInt(mask);
  const number = kind === undefined || kind === '#' ? bits : 0n;
  const flags = kind === '#' ? all & ~bits : kind === undefined ? 0n : bits;
  return { argument, index, width, number, flags, numberNames: prefix ?? constants, flagNames: constants ?? prefix };
}
