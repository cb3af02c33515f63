import { PolicyError } from '../base/errors.ts';
import { didYouMean } from '../base/nearest.ts';
import { U32_MAX, U64_MAX } from '../base/u64.ts';
import { ARCHES, type ArchName } from '../facts/arches.ts';
import { type Parameter, parameters } from '../facts/prototypes.ts';
import { printCondition } from './condition-print.ts';
import { type ConstantValue, evaluateConstant } from './constant.ts';
import type { CompareOperator, Condition, Constant, Field, Test } from './model.ts';
import { findCall } from './overlap.ts';
import type { ResolvedCondition, ResolvedTest } from './resolved.ts';
import { quote } from './source.ts';

/** The call that a condition is about: `name` is absent for a number that no table has. */
export interface CallContext {
  readonly arch: ArchName;
  readonly name: string | undefined;
}

/** An argument with the bits of it that a test looks at. */
interface ResolvedField {
  readonly argument: number | 'ip';
  readonly width: 32 | 64;
  readonly mask: bigint;
  readonly masked: boolean;
  readonly pointer: boolean;
  /** `raw(x)` on a 32-bit ABI: constants of 64 bits are cut to the register. */
  readonly cut: boolean;
}

/**
 * Looks up arguments, widths and constants of a condition; `in` and `within` become plain comparisons.
 *
 * @throws {PolicyError} `unknown_argument`, `unknown_constant`, `constant_width`, `negative_constant`, `pointer_test`, `constant_test`
 */
export function resolveCondition(condition: Condition, context: CallContext): ResolvedCondition {
  switch (condition.kind) {
    case 'and':
    case 'or':
      return { kind: condition.kind, operands: condition.operands.map((each) => resolveCondition(each, context)) };
    case 'not':
      return { kind: 'not', operand: resolveCondition(condition.operand, context) };
    default:
      return resolveTest(condition, context);
  }
}

function resolveTest(test: Test, context: CallContext): ResolvedCondition {
  const field = resolveField(test.field, context);
  const lowered = lowerTest(test, field, context);
  // What 64 bits decide may be decided already where a register has 32: written once for both, it is no mistake.
  if (field.cut) return lowered;
  const always = constantValue(lowered);
  if (always === undefined) return lowered;
  const problem = `"${printCondition(test)}" is always ${always} for the ${field.width} bits of this argument on ${context.arch}`;
  throw new PolicyError('constant_test', `${problem}: leave it out or correct it`, test.field.place);
}

/** The value of a test that cannot have the other one; a list with a value that cannot be counts as false. */
function constantValue(condition: ResolvedCondition): boolean | undefined {
  if (condition.kind === 'or') {
    const tests = condition.operands as readonly ResolvedTest[];
    if (tests.some((each) => constantValue(each) === false)) return false;
    // All values differ from each other and can be: together they are all there are, or not.
    const mask = tests[0]?.mask ?? 0n;
    const bits = mask.toString(2).replaceAll('0', '').length;
    return new Set(tests.map(({ value }) => value)).size === 2 ** bits ? true : undefined;
  }
  if (condition.kind === 'test' && condition.operator === '==' && condition.mask !== 0n) {
    return (condition.value & ~condition.mask) === 0n ? undefined : false;
  }
  if (!findCall(condition)) return false;
  return findCall({ kind: 'not', operand: condition }) ? undefined : true;
}

function lowerTest(test: Test, field: ResolvedField, context: CallContext): ResolvedCondition {
  if (test.kind === 'compare') return comparison(test.operator, test.constant, test.field, field, context);
  if (test.kind === 'in') {
    const operands = test.constants.map((each) => comparison('==', each, test.field, field, context));
    return operands.length === 1 ? (operands[0] as ResolvedTest) : { kind: 'or', operands };
  }
  if (field.pointer) refusePointer(test.field, context.name);
  const bits = test.constants.reduce((all, each) => all | plainValue(each, 'within', field, context), 0n);
  const { argument, width } = field;
  return { kind: 'test', argument, width, mask: field.mask & ~bits, operator: '==', value: 0n };
}

function comparison(
  operator: CompareOperator,
  constant: Constant,
  written: Field,
  field: ResolvedField,
  context: CallContext,
): ResolvedTest {
  const equality = operator === '==' || operator === '!=';
  const value = equality
    ? evaluate(constant, field, context).value
    : plainValue(constant, `"${operator}"`, field, context);
  if (field.pointer && (!equality || value !== 0n || field.masked)) refusePointer(written, context.name);
  const { argument, width, mask } = field;
  return { kind: 'test', argument, width, mask, operator, value };
}

function refusePointer(written: Field, call: string | undefined): never {
  const reason = 'a filter sees the address, never what it points to';
  const problem = `"${written.argument}" of ${call} is a pointer: ${reason}, so it may only be tested with == 0 or != 0`;
  throw new PolicyError('pointer_test', problem, written.place);
}

function evaluate(constant: Constant, field: ResolvedField, { arch }: CallContext): ConstantValue {
  // u32(ip) compares 32 bits of a 64-bit value: what the mask leaves decides.
  const width = field.argument === 'ip' && field.mask <= U32_MAX ? 32 : field.width;
  if (!field.cut) return evaluateConstant(constant, arch, width);
  const { value, negative } = evaluateConstant(constant, arch, 64);
  return { value: BigInt.asUintN(width, value), negative };
}

function plainValue(constant: Constant, use: string, field: ResolvedField, context: CallContext): bigint {
  const { value, negative } = evaluate(constant, field, context);
  if (!negative) return value;
  const problem = `a negative constant goes with ==, != and in only, not with ${use}: comparisons are unsigned`;
  throw new PolicyError('negative_constant', problem, constant[0]?.place);
}

function resolveField(field: Field, context: CallContext): ResolvedField {
  if (field.width === 'raw') return withMask(resolveRegister(field, context), field, context);
  const { argument, width, pointer } = resolveArgument(field, context);
  // The instruction pointer always has 64 bits in the model: u32(ip) becomes a mask.
  const chosen = field.width ?? width;
  const all = chosen === 32 ? U32_MAX : U64_MAX;
  const base = {
    argument,
    width: argument === 'ip' ? 64 : chosen,
    mask: all,
    masked: false,
    pointer,
    cut: false,
  } as const;
  return withMask(base, field, context);
}

function withMask(base: ResolvedField, field: Field, context: CallContext): ResolvedField {
  if (!field.mask) return base;
  return { ...base, mask: plainValue(field.mask, 'a mask', base, context), masked: true };
}

/** `raw(argN)`: the whole register of the ABI, as libseccomp compares it, whatever the kernel reads of it. */
function resolveRegister({ argument: name, place }: Field, { arch }: CallContext): ResolvedField {
  if (!/^arg[0-5]$/.test(name)) {
    throw new PolicyError('unknown_argument', `raw() takes a register, arg0 to arg5, not ${quote(name)}`, place);
  }
  const width = ARCHES[arch].bits;
  const mask = width === 32 ? U32_MAX : U64_MAX;
  return { argument: Number(name[3]), width, mask, masked: false, pointer: false, cut: width === 32 };
}

function resolveArgument(field: Field, context: CallContext): Pick<ResolvedField, 'argument' | 'width' | 'pointer'> {
  const name = field.argument;
  if (name === 'ip') return { argument: 'ip', width: 64, pointer: false };
  const known = context.name === undefined ? undefined : parameters(context.arch, context.name);
  const position = /^arg[0-5]$/.test(name) ? Number(name[3]) : -1;
  const index = position >= 0 ? position : (known?.findIndex((each) => isNamed(each, name)) ?? -1);
  const parameter = known?.[index];
  if (parameter) return { argument: index, width: parameter.width, pointer: parameter.pointer };
  // Without a prototype nobody knows what the kernel reads: all 64 bits are compared.
  if (known === undefined && position >= 0) return { argument: index, width: 64, pointer: false };
  throw new PolicyError('unknown_argument', unknownArgument(name, known, context), field.place);
}

function isNamed(parameter: Parameter, name: string): boolean {
  return parameter.name === name || parameter.aliases.includes(name);
}

function unknownArgument(name: string, known: readonly Parameter[] | undefined, { name: call }: CallContext): string {
  if (known === undefined)
    return `${quote(name)} is no argument of ${call ?? 'this call'}: its arguments are arg0 to arg5`;
  const names = known.map((each) => each.name);
  const near = didYouMean(name, [...names, ...known.flatMap((each) => each.aliases)]);
  const list = names.length === 0 ? 'it has no arguments' : `its arguments are ${names.join(', ')}`;
  return `${quote(name)} is no argument of ${call}${near || `: ${list}`}`;
}
