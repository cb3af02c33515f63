// Conditions as libseccomp has them: a disjunction of conjunctions with one comparison per argument. See libseccomp-rules.ts.
import type { Arch } from '../../src/facts/arches.ts';
import type { CompareOperator } from '../../src/policy/model.ts';
import type { ResolvedCondition, ResolvedTest } from '../../src/policy/resolved.ts';

/** Why libseccomp cannot say what a policy says. */
export class NotExpressible extends Error {
  constructor(what: string) {
    super(`libseccomp cannot express: ${what}`);
  }
}

/** `a` and `b` are datum_a and datum_b of struct scmp_arg_cmp. */
export interface Comparison {
  readonly argument: number;
  /** enum scmp_compare: NE, LT, LE, EQ, GE, GT, MASKED_EQ. */
  readonly operator: 1 | 2 | 3 | 4 | 5 | 6 | 7;
  readonly a: bigint;
  readonly b: bigint;
}

const OPERATORS: Readonly<Record<CompareOperator, Comparison['operator']>> = {
  '!=': 1,
  '<': 2,
  '<=': 3,
  '==': 4,
  '>=': 5,
  '>': 6,
};
const MASKED_EQ = 7;

const INVERSE: Readonly<Record<CompareOperator, CompareOperator>> = {
  '==': '!=',
  '!=': '==',
  '<': '>=',
  '>=': '<',
  '>': '<=',
  '<=': '>',
};

/** (argument & mask) == value. */
interface Masked {
  readonly mask: bigint;
  readonly value: bigint;
}

/**
 * The conjunctions of which one must hold; none at all: the condition never holds; an empty one: it always does.
 *
 * @param limit - most conjunctions
 * @throws {NotExpressible}
 */
export function conjunctionsOf(
  condition: ResolvedCondition,
  arch: Arch,
  limit: number,
): readonly (readonly Comparison[])[] {
  const terms = disjunction(condition, false, limit);
  return within(
    limit,
    terms.flatMap((term) => lower(term, arch, limit)),
  );
}

function within<T>(limit: number, items: readonly T[]): readonly T[] {
  if (items.length > limit) throw new NotExpressible(`a condition with less than ${limit} rules`);
  return items;
}

/** Tests that must all hold. */
type Term = readonly ResolvedTest[];

function disjunction(condition: ResolvedCondition, negate: boolean, limit: number): readonly Term[] {
  if (condition.kind === 'test')
    return [[negate ? { ...condition, operator: INVERSE[condition.operator] } : condition]];
  if (condition.kind === 'not') return disjunction(condition.operand, !negate, limit);
  const operands = condition.operands.map((each) => disjunction(each, negate, limit));
  if ((condition.kind === 'or') !== negate) return within(limit, operands.flat());
  return operands.reduce((left, right) => cross(left, right, limit), [[]]);
}

function cross<T>(left: readonly (readonly T[])[], right: readonly (readonly T[])[], limit: number): (readonly T[])[] {
  return [
    ...within(
      limit,
      left.flatMap((a) => right.map((b) => [...a, ...b])),
    ),
  ];
}

/** One conjunction of tests as conjunctions of comparisons: what is asked of one argument becomes one comparison. */
function lower(term: Term, arch: Arch, limit: number): readonly (readonly Comparison[])[] {
  const byArgument = new Map<number, ResolvedTest[]>();
  for (const test of term) {
    if (test.argument === 'ip') throw new NotExpressible('the instruction pointer');
    byArgument.set(test.argument, [...(byArgument.get(test.argument) ?? []), test]);
  }
  const choices = [...byArgument].map(([argument, tests]) =>
    ofArgument(argument, tests, arch, limit).map((each) => [each]),
  );
  return choices.reduce<readonly (readonly Comparison[])[]>((left, right) => cross(left, right, limit), [[]]);
}

/** Comparisons of which one must hold so that all tests of an argument do. */
function ofArgument(
  argument: number,
  tests: readonly ResolvedTest[],
  arch: Arch,
  limit: number,
): readonly Comparison[] {
  for (const test of tests) checkWidth(test, arch);
  const [only, second] = tests;
  if (only && !second && isWhole(only, arch))
    return [{ argument, operator: OPERATORS[only.operator], a: only.value, b: 0n }];
  const masked = tests.map(maskedOf).reduce((left, right) => [
    ...within(
      limit,
      left.flatMap((a) => right.flatMap((b) => both(a, b))),
    ),
  ]);
  return masked.map(({ mask, value }) => ({ argument, operator: MASKED_EQ, a: mask, b: value }));
}

/** libseccomp compares 32 bits on 32-bit arches; arguments of i386 have no more, those of x32 may. */
function checkWidth({ width, mask, value }: ResolvedTest, arch: Arch): void {
  if (arch.bits === 64 || width === 32) return;
  if (arch.name === 'x32' || (mask | value) >> 32n !== 0n) throw new NotExpressible(`a 64-bit test on ${arch.name}`);
}

function isWhole({ mask }: ResolvedTest, arch: Arch): boolean {
  return mask === (1n << BigInt(arch.bits)) - 1n;
}

function both(left: Masked, right: Masked): Masked[] {
  if ((left.value ^ right.value) & left.mask & right.mask) return [];
  return [{ mask: left.mask | right.mask, value: left.value | right.value }];
}

function maskedOf(test: ResolvedTest): readonly Masked[] {
  const { mask, value } = test;
  const equal: readonly Masked[] = value & ~mask ? [] : [{ mask, value }];
  switch (test.operator) {
    case '==':
      return equal;
    case '!=':
      return prefixes(test, () => true);
    case '<':
      return prefixes(test, (set) => set);
    case '<=':
      return [...prefixes(test, (set) => set), ...equal];
    case '>':
      return prefixes(test, (set) => !set);
    case '>=':
      return [...prefixes(test, (set) => !set), ...equal];
  }
}

/**
 * All that agree with `value` above a bit and differ in it, for each bit whose value `wanted` accepts. A bit of the value outside the mask
 * decides for all that agree so far.
 */
function prefixes({ mask, value, width }: ResolvedTest, wanted: (set: boolean) => boolean): readonly Masked[] {
  const found: Masked[] = [];
  for (let bit = 1n << BigInt(width - 1); bit > 0n; bit >>= 1n) {
    const set = (value & bit) !== 0n;
    const above = mask & ~((bit << 1n) - 1n);
    const differs = { mask: above | (mask & bit), value: (value & above) | (mask & ~value & bit) };
    const decided = set && (mask & bit) === 0n;
    if (wanted(set) && (decided || (mask & bit) !== 0n)) found.push(differs);
    if (decided) break;
  }
  return found;
}
