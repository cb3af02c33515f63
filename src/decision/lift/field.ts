import { ARCHES, type ArchName } from '../../facts/arches.ts';
import { areFlags, constant, constantName } from '../../facts/constants.ts';
import { type Parameter, parameters } from '../../facts/prototypes.ts';
import type { Constant, Field } from '../../policy/model.ts';

/** An argument or the instruction pointer as conditions name it. */
export class ValueField {
  readonly #name: string;
  readonly #parameter: Parameter | undefined;
  readonly #arch: ArchName;
  /** Effective width: how many bits the kernel reads. */
  readonly width: 32 | 64;

  /** @param index - of the argument, or 'ip'; `call`: its name, absent for numbers that no table has */
  constructor(arch: ArchName, call: string | undefined, index: number | 'ip') {
    this.#arch = arch;
    this.#parameter = call === undefined || index === 'ip' ? undefined : parameters(arch, call)?.[index];
    this.#name = index === 'ip' ? 'ip' : (this.#parameter?.name ?? `arg${index}`);
    const word = ARCHES[arch].bits === 64 || ARCHES[arch].numberOffset !== 0 ? 64 : 32;
    this.width = index === 'ip' ? 64 : (this.#parameter?.width ?? word);
  }

  /** @param width - of the value that is looked at */
  field(width: 32 | 64, mask?: bigint): Field {
    return {
      argument: this.#name,
      ...(width !== this.width && { width }),
      ...(mask !== undefined && { mask: this.constant(mask) }),
    };
  }

  /** By its name where the argument has constants of this value, or flags whose names make it up. */
  constant(value: bigint): Constant {
    const prefix = this.#parameter?.constants;
    if (prefix === undefined) return this.#number(value);
    const signed = this.#parameter?.signed ? BigInt.asIntN(this.width, value) : value;
    const name = constantName(this.#arch, prefix, signed) ?? constantName(this.#arch, prefix, value);
    if (name !== undefined) return [{ value: name }];
    return this.#flags(prefix, value) ?? this.#number(value);
  }

  /** Flags, one constant each, for `within`. */
  flags(bits: bigint): readonly Constant[] {
    const prefix = this.#parameter?.constants;
    const names = prefix === undefined ? undefined : this.#flagNames(prefix, bits);
    return names ? names.map((name) => [{ value: name }]) : [this.#number(bits)];
  }

  #flags(prefix: string, value: bigint): Constant | undefined {
    const names = this.#flagNames(prefix, value);
    return names && names.length > 0 && names.length <= 6 ? names.map((name) => ({ value: name })) : undefined;
  }

  #flagNames(prefix: string, bits: bigint): readonly string[] | undefined {
    if (!areFlags(this.#arch, prefix)) return undefined;
    const names: string[] = [];
    for (let bit = 1n; bit <= bits; bit <<= 1n) {
      if ((bits & bit) === 0n) continue;
      const name = constantName(this.#arch, prefix, bit);
      if (name === undefined || constant(this.#arch, name) !== bit) return undefined;
      names.push(name);
    }
    return names;
  }

  #number(value: bigint): Constant {
    return value < 10n ? [{ value }] : [{ value, base: 16 }];
  }
}
