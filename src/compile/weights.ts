import { ARCH_NAMES, ARCHES, type ArchName } from '../facts/arches.ts';
import { syscallNames, syscallNumber } from '../facts/syscalls.ts';

/** How often calls are made, in proportion to each other: what the compiler arranges tests by. */
export interface Weights {
  ofToken(token: number): number;
  /** Of all numbers of a token from `first` to `last`. */
  ofNumbers(token: number, first: number, last: number): number;
}

/** Evidence: how often each call of each ABI was seen. */
export type CallCounts = ReadonlyMap<ArchName, ReadonlyMap<string, number>>;

/** Calls that most programs make most of the time; without evidence they are taken to be half of all calls. */
const HOT: ReadonlySet<string> = new Set(
  'read write futex epoll_wait recvfrom sendto clock_nanosleep mmap munmap close openat newfstatat'.split(' '),
);
const HOT_SHARE = 0.5;
/** Of tokens that no table has, of x32, and of numbers between those of a table. */
const RARE = 0.001;
/** Of a 32-bit ABI beside the machine's own. */
const SECONDARY = 0.01;

/** Numbers of a token, ascending, with the sums of the weights before them. */
interface Table {
  readonly numbers: readonly number[];
  readonly sums: readonly number[];
}

/** Weights by evidence where there is any, else by what programs mostly do. */
export function weightsBy(counts?: CallCounts): Weights {
  const tables = new Map<number, Table>();
  const tableOf = (token: number): Table => {
    const known = tables.get(token);
    if (known) return known;
    const arches = ARCH_NAMES.filter((arch) => ARCHES[arch].token === token);
    const made = tableFrom(arches.flatMap((arch) => numberWeights(arch, counts?.get(arch))));
    tables.set(token, made);
    return made;
  };
  return {
    ofToken: (token) => Math.max(RARE, tableOf(token).sums.at(-1) as number),
    ofNumbers(token, first, last) {
      const { numbers, sums } = tableOf(token);
      return (sums[before(numbers, last + 1)] as number) - (sums[before(numbers, first)] as number) + RARE / 100;
    },
  };
}

function tableFrom(weights: readonly (readonly [number, number])[]): Table {
  const sorted = weights.toSorted(([left], [right]) => left - right);
  let sum = 0;
  return { numbers: sorted.map(([nr]) => nr), sums: [0, ...sorted.map(([, weight]) => (sum += weight))] };
}

/** How many numbers are below `limit`. */
function before(numbers: readonly number[], limit: number): number {
  let [low, high] = [0, numbers.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((numbers[middle] as number) < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

function numberWeights(
  arch: ArchName,
  counts: ReadonlyMap<string, number> | undefined,
): readonly (readonly [number, number])[] {
  const names = syscallNames(arch);
  const total = [...(counts?.values() ?? [])].reduce((sum, count) => sum + count, 0);
  const share = arch === 'x32' ? RARE : arch === 'i386' ? SECONDARY : 1;
  return names.map((name) => {
    const hot = HOT.has(name) ? HOT_SHARE / HOT.size : 0;
    const seen = total > 0 ? HOT_SHARE * ((counts?.get(name) ?? 0) / total) : hot;
    return [syscallNumber(arch, name) as number, share * (seen + (1 - HOT_SHARE) / names.length)] as const;
  });
}
