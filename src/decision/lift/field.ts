import { U32_MAX, U64_MAX } from '../../base/u64.ts';
import { ARCHES, type ArchName } from '../../facts/arches.ts';
import { areFlags, constant, constantName } from '../../facts/constants.ts';
import { type Parameter, parameters } from '../../facts/prototypes.ts';
import type { Constant, Field } from '../../policy/model.ts';

/** Names of values that have another one as a bit among others. */
const NAMES_OF_BITS: { readonly [name: string]: string } = { FUTEX_WAIT_PRIVATE: 'FUTEX_PRIVATE_FLAG' };
/** Most flags that are written as one constant. */
const MOST_NAMES = 12;

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
    // The arg2 of prctl(2) is the language's arg1.
    const own = this.#isRegister ? undefined : this.#parameter?.name;
    this.#name = index === 'ip' ? 'ip' : own === undefined || /^arg\d$/.test(own) ? `arg${index}` : own;
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
      ...(bits !== undefined && { mask: this.#mask(bits) }),
    };
  }

  /** A mask that leaves out a few bits is written as `~` of them. */
  #mask(bits: bigint): Constant {
    const all = this.width === 64 || bits > U32_MAX ? U64_MAX : U32_MAX;
    const others = all & ~bits;
    const isMost = bits > U32_MAX ? others <= U32_MAX : others <= 0xffffn;
    if (!isMost || others === 0n) return this.constant(bits);
    const flags = this.#parameter?.constants && this.#flagNames(this.#parameter.constants, others);
    const inner = flags ? flags.map((name) => ({ value: name })) : this.constant(others);
    const [only] = inner;
    return only && inner.length === 1 ? [{ ...only, sign: '~' }] : [{ value: inner, sign: '~' }];
  }

  /** Whether the names of its values are those of flags. */
  get hasFlags(): boolean {
    return this.#parameter?.constants !== undefined && areFlags(this.#arch, this.#parameter.constants);
  }

  /** Whether a value is told by the name of a constant, or by those of flags. */
  isNamed(value: bigint): boolean {
    return this.constant(value).some((term) => typeof term.value === 'string');
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
    const names = prefix === undefined || !this.hasFlags ? undefined : this.#flagNames(prefix, bits);
    return names ? names.map((name) => [{ value: name }]) : [this.#number(bits)];
  }

  #flags(prefix: string, value: bigint): Constant | undefined {
    const names = this.hasFlags ? this.#flagNames(prefix, value) : undefined;
    return names && names.length > 0 && names.length <= MOST_NAMES ? names.map((name) => ({ value: name })) : undefined;
  }

  #flagNames(prefix: string, bits: bigint): readonly string[] | undefined {
    const names: string[] = [];
    for (let bit = 1n; bit <= bits; bit <<= 1n) {
      if ((bits & bit) === 0n) continue;
      const name = constantName(this.#arch, prefix, bit);
      if (name === undefined || constant(this.#arch, name) !== bit) return undefined;
      names.push(NAMES_OF_BITS[name] ?? name);
    }
    return names;
  }

  #number(value: bigint): Constant {
    return value < 10n ? [{ value }] : [{ value, base: 16 }];
  }
}
