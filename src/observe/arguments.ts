import type { Selector } from '../facts/selectors.ts';
import type { ObservedArch } from './abi.ts';

/** Calls told apart by the values of their selectors (`record --args`). */

/** Different values of one call of one executable that are kept; what comes after them is counted without. */
export const MOST_TUPLES = 64;

/** Selectors of a call by its `callKey`; undefined where it has none. */
export type SelectorsByKey = (key: number, arch: ObservedArch, nr: number) => readonly Selector[] | undefined;

/** The bits of a whole register that a selector looks at: what the kernel does not read of it (the high half of an int) may be anything. */
export function selectedBits({ number, flags }: Selector, whole: bigint): bigint {
  return whole & (number | flags);
}

/** Counts of one executable in one phase, by `callKey` and values. */
export class ArgumentTally<C> {
  readonly #calls = new Map<number, Map<string, C>>();

  /** @returns undefined where the call has shown too many values already, and these are not among them */
  valuesOf(
    key: number,
    selectors: readonly Selector[],
    argument: (index: number) => bigint,
  ): readonly bigint[] | undefined {
    const values = selectors.map((selector) => selectedBits(selector, argument(selector.index)));
    const known = this.#calls.get(key);
    return known === undefined || known.size < MOST_TUPLES || known.has(values.join()) ? values : undefined;
  }

  get(key: number, values: readonly bigint[]): C | undefined {
    return this.#calls.get(key)?.get(values.join());
  }

  set(key: number, values: readonly bigint[], call: C): void {
    const known = this.#calls.get(key);
    if (known === undefined) this.#calls.set(key, new Map([[values.join(), call]]));
    else known.set(values.join(), call);
  }

  calls(): readonly C[] {
    return [...this.#calls.values()].flatMap((tuples) => [...tuples.values()]);
  }
}
