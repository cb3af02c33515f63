import { U32_MAX } from '../../base/u64.ts';
import { ARCHES, type ArchName } from '../../facts/arches.ts';
import { areFlags, constant, constantName } from '../../facts/constants.ts';
import { type Parameter, parameters } from '../../facts/prototypes.ts';
import type { Constant, Field } from '../../policy/model.ts';

/** An argument or the instruction pointer as conditions name it. */
export class ValueField {
  readonly #name: string;
  readonly #parameter: Parameter | undefined;
  readonly #arch: ArchName;
  readonly #isRegister: boolean;
  /** Effective width: how many bits the kernel reads. */
  readonly width: 32 | 64;

  /** @param index - of the argument, or 'ip'; `call`: its name, absent for numbers that no table has */
  constructor(arch: ArchName, call: string | undefined, index: number | 'ip') {
    this.#arch = arch;
    this.#parameter = call === undefined || index === 'ip' ? undefined : parameters(arch, call)?.[index];
    // A pointer, or a register that the call does not have, is named as a register.
    this.#isRegister = index !== 'ip' && (this.#parameter === undefined || this.#parameter.pointer);
    this.#name = index === 'ip' ? 'ip' : this.#isRegister ? `arg${index}` : (this.#parameter?.name as string);
    this.width = index === 'ip' ? 64 : this.#isRegister ? ARCHES[arch].bits : (this.#parameter?.width as 32 | 64);
  }

  /** Whether so many bits of the value can be named: registers of 32-bit ABIs have no more. */
  has(width: 32 | 64): boolean {
    return !this.#isRegister || width <= this.width;
  }

  /** @param width - of the value that is looked at */
  field(width: 32 | 64, mask?: bigint): Field {
    const lowHalf = this.#isRegister && width < this.width ? U32_MAX : undefined;
    const bits = mask ?? lowHalf;
    return {
      argument: this.#name,
      ...(this.#isRegister ? { width: 'raw' } : width !== this.width && { width }),
      ...(bits !== undefined && { mask: this.constant(bits) }),
    };
  }

  /** By its name where the argument has constants of this value, or flags whose names make it up. */
  constant(value: bigint): Constant {
    const prefix = this.#parameter?.constants;
    if (prefix === undefined || value >> BigInt(this.width) !== 0n) return this.#number(value);
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
