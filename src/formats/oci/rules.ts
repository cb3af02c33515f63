import { U64_MAX } from '../../base/u64.ts';
import type { ArchName } from '../../facts/arches.ts';
import { syscallNumber } from '../../facts/syscalls.ts';
import { printCondition } from '../../policy/condition-print.ts';
import type { Condition, Constant, Rule, Test } from '../../policy/model.ts';
import type { Fields } from './fields.ts';
import { MULTIPLEXED_ARCHES, MULTIPLEXERS, type Multiplexed } from './names.ts';
import type { Comparison, Entry } from './profile.ts';

/** One rule that runc gives to libseccomp for one name. */
export interface RawRule {
  readonly name: string;
  /** In the order of the profile; all must hold. */
  readonly args: readonly Comparison[];
  readonly entry: Entry;
  readonly offset: number;
  /** Its first argument is that of socketcall or ipc. */
  readonly multiplexed?: Multiplexed;
}

/**
 * The rules of one name of an entry, as runc makes them: where an argument occurs twice, every comparison is a rule of its own.
 * Where the ABI has a multiplexer, libseccomp adds a rule for it; that the first argument is another one there is its way.
 *
 * @see runc libcontainer/seccomp/seccomp_linux.go; seccomp_rule_add(3)
 */
export function rulesOf(entry: Entry, name: string, offset: number, arches: readonly ArchName[]): readonly RawRule[] {
  const indices = entry.args.map(({ index }) => index);
  const alternatives = new Set(indices).size < indices.length;
  const lists = alternatives ? entry.args.map((arg) => [arg]) : [entry.args];
  const rules = lists.map((args): RawRule => ({ name, args, entry, offset }));
  const multiplexer = multiplexerOf(name, arches);
  if (!multiplexer) return rules;
  return rules.flatMap((rule) => [
    rule,
    { ...rule, name: multiplexer.call, args: rule.args.filter(({ index }) => index !== 0), multiplexed: multiplexer },
  ]);
}

/** libseccomp makes that rule only where the ABI has a number of its own for the call, too. */
function multiplexerOf(name: string, arches: readonly ArchName[]): Multiplexed | undefined {
  const multiplexer = MULTIPLEXERS.get(name);
  const applies = arches.some((arch) => MULTIPLEXED_ARCHES.includes(arch) && syscallNumber(arch, name) !== undefined);
  return applies ? multiplexer : undefined;
}

/** What a rule asks of the arguments: `always`, `never`, or a condition. */
export function conditionOf(rule: RawRule, fields: Fields): Condition | 'always' | 'never' {
  const tests: Test[] = rule.multiplexed ? [compare(0, '==', BigInt(rule.multiplexed.value))] : [];
  for (const arg of rule.args) {
    const test = testOf(arg, fields);
    if (typeof test !== 'string') {
      tests.push(test);
      continue;
    }
    fields.note(`the comparison of argument ${arg.index} ${test === 'always' ? 'always' : 'never'} holds`, arg);
    if (test === 'never') return 'never';
  }
  const [first] = tests;
  if (!first) return 'always';
  return tests.length === 1 ? first : { kind: 'and', operands: tests };
}

function testOf(arg: Comparison, fields: Fields): Test | 'always' | 'never' {
  const { index, operator, value } = arg;
  if (operator === 'masked') return maskedTest(arg, fields);
  if (value === 0n && operator === '>=') return 'always';
  if (value === 0n && operator === '<') return 'never';
  if (value === U64_MAX && operator === '<=') return 'always';
  if (value === U64_MAX && operator === '>') return 'never';
  return compare(index, operator, value);
}

/** libseccomp compares the value under the mask with what the mask leaves of valueTwo. */
function maskedTest(arg: Comparison, fields: Fields): Test | 'always' {
  const { index, value: mask, valueTwo } = arg;
  if ((valueTwo & ~mask) !== 0n)
    fields.note('"valueTwo" has bits that the mask in "value" has not: libseccomp does not compare them', arg);
  if (mask === 0n) return 'always';
  if (mask === U64_MAX) return compare(index, '==', valueTwo);
  const field = { argument: `arg${index}`, width: 'raw', mask: constant(mask, 16) } as const;
  return { kind: 'compare', field, operator: '==', constant: constant(valueTwo & mask, 16) };
}

function compare(index: number, operator: Exclude<Comparison['operator'], 'masked'>, value: bigint): Test {
  const field = { argument: `arg${index}`, width: 'raw' } as const;
  return { kind: 'compare', field, operator, constant: constant(value, value > 0xffffn ? 16 : undefined) };
}

function constant(value: bigint, base: 16 | undefined): Constant {
  return [{ value, ...(base && value > 9n && { base }) }];
}

/** What a rule says, as text: equal texts have equal meanings. */
export function textOf({ call, condition }: Pick<Rule, 'call' | 'condition'>): string {
  return `${call.kind === 'name' ? call.name : ''}: ${condition ? printCondition(condition) : ''}`;
}
