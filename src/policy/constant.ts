import { PolicyError } from '../base/errors.ts';
import { didYouMean } from '../base/nearest.ts';
import type { ArchName } from '../facts/arches.ts';
import { constant, constantNames } from '../facts/constants.ts';
import { printConstant } from './condition-print.ts';
import type { Constant, ConstantTerm } from './model.ts';
import { quote } from './source.ts';

/** A constant's value in the width of its argument. */
export interface ConstantValue {
  /** Unsigned, fits the width. */
  readonly value: bigint;
  /** It was below zero before it took the width: only equality makes sense then. */
  readonly negative: boolean;
}

/**
 * Evaluates a constant for an ABI and a width.
 *
 * @throws {PolicyError} `unknown_constant`, `constant_width`
 */
export function evaluateConstant(terms: Constant, arch: ArchName, width: 32 | 64): ConstantValue {
  const values = terms.map((term) => evaluateTerm(term, arch, width));
  return {
    value: values.reduce((all, { value }) => all | value, 0n),
    negative: values.some(({ negative }) => negative),
  };
}

function evaluateTerm(term: ConstantTerm, arch: ArchName, width: 32 | 64): ConstantValue {
  const inner = Array.isArray(term.value)
    ? evaluateConstant(term.value as Constant, arch, width)
    : { value: lookUp(term, arch), negative: false };
  // ~ complements within the width, so what it is applied to must fit first.
  if (term.sign === '~')
    return { value: BigInt.asUintN(width, ~fit(inner.value, term, width)), negative: inner.negative };
  const value = term.sign === '-' ? -inner.value : inner.value;
  return { value: fit(value, term, width), negative: inner.negative || value < 0n };
}

function lookUp({ value, place }: ConstantTerm, arch: ArchName): bigint {
  if (typeof value === 'bigint') return value;
  const name = value as string;
  const found = constant(arch, name);
  if (found !== undefined) return found;
  const near = didYouMean(name, constantNames(arch));
  throw new PolicyError(
    'unknown_constant',
    `${quote(name)} is no constant of ${arch}${near || ': write its number'}`,
    place,
  );
}

function fit(value: bigint, term: ConstantTerm, width: 32 | 64): bigint {
  const least = -(1n << BigInt(width - 1));
  if (value >= least && value < 1n << BigInt(width)) return BigInt.asUintN(width, value);
  const problem = `${printConstant([term])} does not fit the ${width} bits that the kernel reads of this argument`;
  throw new PolicyError('constant_width', problem, term.place);
}
