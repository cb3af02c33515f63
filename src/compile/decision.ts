/**
 * What a program does, as a graph of tests on 32-bit words of struct seccomp_data that ends in actions. It stands between diagrams, which know only
 * bits, and programs, which know only instructions. Equal parts are the same object.
 */

/** Comparison of a word with a value, unsigned, as classic BPF has them; `&`: they have a bit in common. */
export type WordOperator = '==' | '>=' | '&';

export interface Return {
  readonly kind: 'return';
  /** SECCOMP_RET_* with its data, unsigned. */
  readonly action: number;
}

export interface WordTest {
  readonly kind: 'word';
  /** Byte offset in struct seccomp_data. */
  readonly offset: number;
  /** The word is masked by this first; never 0. */
  readonly mask: number;
  readonly operator: WordOperator;
  readonly value: number;
  readonly yes: Decision;
  readonly no: Decision;
}

export type Decision = Return | WordTest;

/** What is the same for all tests of a comparison tree: which word, and what masks it. */
export type MaskedWord = Pick<WordTest, 'offset' | 'mask'>;

export const ALL_BITS = 0xffff_ffff;

/** Makes decisions so that equal ones are the same object. */
export class Decisions {
  readonly #known = new Map<string, Decision>();
  readonly #ids = new Map<Decision, number>();

  return(action: number): Return {
    return this.#same(`${action}`, { kind: 'return', action }) as Return;
  }

  /** A test, or where it leads if both ways lead there. */
  test({ offset, mask }: MaskedWord, operator: WordOperator, value: number, yes: Decision, no: Decision): Decision {
    if (yes === no) return yes;
    const key = `${offset} ${mask} ${operator} ${value} ${this.#ids.get(yes)} ${this.#ids.get(no)}`;
    return this.#same(key, { kind: 'word', offset, mask, operator, value, yes, no });
  }

  #same(key: string, made: Decision): Decision {
    const known = this.#known.get(key);
    if (known) return known;
    this.#known.set(key, made);
    this.#ids.set(made, this.#ids.size);
    return made;
  }
}
