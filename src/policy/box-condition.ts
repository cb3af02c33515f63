import type { ArchName } from '../facts/arches.ts';
import type { Danger } from '../facts/dangers.ts';
import type { Selector } from '../facts/selectors.ts';
import type { Box, Part } from './generalise.ts';
import type { Condition, Constant, Field, Test } from './model.ts';
import { flagNames, numberName } from './selector-names.ts';

/** Boxes as conditions of the policy language. */

/** Masks that have names in the headers. */
const MASKS: ReadonlyMap<bigint, string> = new Map([
  [0x3n, 'O_ACCMODE'],
  [0xffn, 'CSIGNAL'],
  [0xf000n, 'S_IFMT'],
]);

/** What holds for the values of a box alone; undefined where it holds for all values. */
export function conditionOfBox(arch: ArchName, selectors: readonly Selector[], box: Box): Condition | undefined {
  const leaders = leadersOf(arch, selectors, box);
  const tests = [
    ...selectors.flatMap((selector, at) => testsOf(arch, selector, box.parts[at] as Part, leaders)),
    ...box.without.map((danger) => excluding(arch, selectors, danger)),
  ];
  const [first] = tests;
  return tests.length < 2 ? first : { kind: 'and', operands: tests };
}

/** Names of the numbers of the first selector: what those of others are called depends on them. */
function leadersOf(arch: ArchName, selectors: readonly Selector[], { parts }: Box): readonly string[] {
  const [first] = selectors;
  return first === undefined ? [] : (parts[0]?.numbers ?? []).map((value) => numberName(arch, first, value, []));
}

function testsOf(arch: ArchName, selector: Selector, part: Part, leaders: readonly string[]): readonly Test[] {
  const { argument, number, flags, width } = selector;
  const numbers = part.numbers.map((value) => constantOf(numberName(arch, selector, value, leaders)));
  const isAnyNumber = BigInt(numbers.length) === 1n << countBits(number);
  const isWhole = (number | flags) === (1n << BigInt(width)) - 1n;
  // One test says it where there are no flags.
  if (number !== 0n && part.flags === 0n && isWhole && !isAnyNumber) return [oneOf({ argument }, numbers)];
  const tests: Test[] = [];
  if (number !== 0n && !isAnyNumber) tests.push(oneOf({ argument, mask: maskOf(number) }, numbers));
  if ((flags & ~part.flags) === 0n) return tests;
  const mask: Constant =
    number === 0n
      ? flagNames(arch, selector, flags).flatMap(constantOf)
      : maskOf(number).map((term) => ({ ...term, sign: '~' }));
  const field: Field = number === 0n && isWhole ? { argument } : { argument, mask };
  return [...tests, within(field, flagNames(arch, selector, part.flags))];
}

function oneOf(field: Field, constants: readonly Constant[]): Test {
  const [only] = constants;
  if (constants.length > 1 || only === undefined) return { kind: 'in', field, constants };
  return { kind: 'compare', field, operator: '==', constant: only };
}

function within(field: Field, names: readonly string[]): Test {
  if (names.length === 0) return { kind: 'compare', field, operator: '==', constant: constantOf('0') };
  return { kind: 'within', field, constants: names.map(constantOf) };
}

/** Not all the bits of a danger: one argument's, as the table has them. */
function excluding(arch: ArchName, selectors: readonly Selector[], { values }: Danger): Condition {
  const tests = selectors.flatMap((selector): readonly Test[] => {
    const bits = (values.get(selector.argument) ?? 0n) & selector.flags;
    if (bits === 0n) return [];
    const constant = flagNames(arch, selector, bits).flatMap(constantOf);
    return [{ kind: 'compare', field: { argument: selector.argument, mask: constant }, operator: '!=', constant }];
  });
  const [first, ...others] = tests;
  return first !== undefined && others.length === 0 ? first : { kind: 'or', operands: tests };
}

const hexOf = (value: bigint): Constant => [{ value, base: 16 }];

function maskOf(value: bigint): Constant {
  const name = MASKS.get(value);
  return name === undefined ? hexOf(value) : [{ value: name }];
}

/** A name, or digits as selector-names.ts writes them. */
function constantOf(text: string): Constant {
  if (/^[A-Za-z_]/.test(text)) return [{ value: text }];
  return text.startsWith('0x') ? hexOf(BigInt(text)) : [{ value: BigInt(text) }];
}

function countBits(value: bigint): bigint {
  let count = 0n;
  for (let rest = value; rest > 0n; rest &= rest - 1n) count += 1n;
  return count;
}
