import { type Diagrams, FALSE, type Node, TRUE } from './diagrams.ts';
import { rankOf, variableOf, WORD_BITS } from './words.ts';

/** A 32-bit value as a function of a call: one boolean diagram a bit, the lowest first. Equal values are the same object. */
export interface Vector {
  readonly id: number;
  readonly bits: readonly Node[];
}

/** What a vector costs beside its diagrams, in steps: constants cost nothing else, and each takes some 600 bytes. */
const VECTOR_STEPS = 40;

/** Arithmetic of classic BPF on values that depend on the call; everything is modulo 2^32 (kernel/bpf/core.c, ALU of 32 bits). */
export class Vectors {
  readonly #space: Diagrams;
  readonly #known = new Map<string, Vector>();
  readonly #words = new Map<number, Vector>();
  readonly #constants = new Map<number, Vector>();

  constructor(space: Diagrams) {
    this.#space = space;
  }

  /** The word of struct seccomp_data at a byte offset. */
  word(offset: number): Vector {
    const known = this.#words.get(offset);
    if (known) return known;
    const rank = rankOf(offset);
    const made = this.#make((bit) => this.#space.make(variableOf(rank, bit), FALSE, TRUE));
    this.#words.set(offset, made);
    return made;
  }

  constant(value: number): Vector {
    const known = this.#constants.get(value);
    if (known) return known;
    const made = this.#make((bit) => (isSet(value, bit) ? TRUE : FALSE));
    this.#constants.set(value, made);
    return made;
  }

  and(a: Vector, b: Vector): Vector {
    return this.#make((bit) => this.#space.and(at(a, bit), at(b, bit)));
  }

  or(a: Vector, b: Vector): Vector {
    return this.#make((bit) => this.#space.or(at(a, bit), at(b, bit)));
  }

  xor(a: Vector, b: Vector): Vector {
    return this.#make((bit) => this.#xor(at(a, bit), at(b, bit)));
  }

  add(a: Vector, b: Vector): Vector {
    return this.#addWithCarry(a, b, FALSE);
  }

  subtract(a: Vector, b: Vector): Vector {
    return this.#addWithCarry(
      a,
      this.#make((bit) => this.#space.not(at(b, bit))),
      TRUE,
    );
  }

  multiply(a: Vector, b: Vector): Vector {
    let sum = this.constant(0);
    for (let shift = 0; shift < WORD_BITS; shift += 1) {
      const taken = at(b, shift);
      if (taken === FALSE) continue;
      const moved = this.#moved(a, shift);
      sum = this.add(
        sum,
        this.#make((bit) => this.#space.and(taken, at(moved, bit))),
      );
    }
    return sum;
  }

  /** Division as on paper, from the highest bit down. What it gives for a divisor of 0 must not be used. */
  divide(a: Vector, b: Vector): Vector {
    const quotient: Node[] = new Array(WORD_BITS).fill(FALSE);
    // The remainder is below the divisor, so doubled it may need a bit more than a word.
    let rest = this.constant(0);
    for (let index = WORD_BITS - 1; index >= 0; index -= 1) {
      const overflow = at(rest, WORD_BITS - 1);
      const doubled = this.#make((bit) => (bit === 0 ? at(a, index) : at(rest, bit - 1)));
      const fits = this.#space.or(overflow, this.atLeast(doubled, b));
      const less = this.subtract(doubled, b);
      rest = this.#make((bit) => this.#space.choose(fits, at(less, bit), at(doubled, bit)));
      quotient[index] = fits;
    }
    return this.#make((bit) => quotient[bit] as Node);
  }

  /** `places` counts from its low 5 bits (kernel/bpf/core.c). */
  shift(a: Vector, places: Vector, direction: 'left' | 'right'): Vector {
    let result = a;
    for (let stage = 0; stage < 5; stage += 1) {
      const taken = at(places, stage);
      if (taken === FALSE) continue;
      const before = result;
      const moved = this.#moved(before, direction === 'left' ? 2 ** stage : -(2 ** stage));
      result = this.#make((bit) => this.#space.choose(taken, at(moved, bit), at(before, bit)));
    }
    return result;
  }

  negate(a: Vector): Vector {
    return this.subtract(this.constant(0), a);
  }

  equal(a: Vector, b: Vector): Node {
    return this.#fold(a, b, TRUE, (left, right, rest) =>
      this.#space.choose(left, this.#space.and(right, rest), this.#space.choose(right, FALSE, rest)),
    );
  }

  atLeast(a: Vector, b: Vector): Node {
    return this.#order(a, b, TRUE);
  }

  greater(a: Vector, b: Vector): Node {
    return this.#order(a, b, FALSE);
  }

  /** Whether they have a bit in common. */
  meets(a: Vector, b: Vector): Node {
    return this.#fold(a, b, FALSE, (left, right, rest) => this.#space.or(this.#space.and(left, right), rest));
  }

  #order(a: Vector, b: Vector, whenEqual: Node): Node {
    return this.#fold(a, b, whenEqual, (left, right, rest) =>
      this.#space.choose(left, this.#space.choose(right, rest, TRUE), this.#space.choose(right, FALSE, rest)),
    );
  }

  /** From the lowest bit to the highest, so that diagrams grow from their leaves. */
  #fold(a: Vector, b: Vector, start: Node, step: (left: Node, right: Node, rest: Node) => Node): Node {
    let result = start;
    for (let bit = 0; bit < WORD_BITS; bit += 1) result = step(at(a, bit), at(b, bit), result);
    return result;
  }

  #addWithCarry(a: Vector, b: Vector, carryIn: Node): Vector {
    const space = this.#space;
    let carry = carryIn;
    return this.#make((bit) => {
      const [left, right] = [at(a, bit), at(b, bit)];
      const half = this.#xor(left, right);
      const sum = this.#xor(half, carry);
      carry = space.choose(half, carry, left);
      return sum;
    });
  }

  #xor(a: Node, b: Node): Node {
    return this.#space.choose(a, this.#space.not(b), b);
  }

  /** Moved to higher places, to lower ones where negative. */
  #moved(a: Vector, places: number): Vector {
    return this.#make((bit) => a.bits[bit - places] ?? FALSE);
  }

  #make(bitOf: (bit: number) => Node): Vector {
    this.#space.count(VECTOR_STEPS);
    const bits: Node[] = [];
    for (let bit = 0; bit < WORD_BITS; bit += 1) bits.push(bitOf(bit));
    const key = bits.join();
    const known = this.#known.get(key) ?? { id: this.#known.size, bits };
    this.#known.set(key, known);
    return known;
  }
}

function at({ bits }: Vector, bit: number): Node {
  return bits[bit] as Node;
}

function isSet(value: number, bit: number): boolean {
  return ((value >>> bit) & 1) === 1;
}
