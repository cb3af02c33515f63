import { PolicyError } from '../base/errors.ts';
import { ARCHES, type ArchName } from '../facts/arches.ts';
import { parameters } from '../facts/prototypes.ts';
import { printAction } from './action.ts';
import { holds } from './decide.ts';
import { findCall, type Witness } from './overlap.ts';
import type { ResolvedCondition, ResolvedRule } from './resolved.ts';
import { describeRule } from './source.ts';

/** Conditional before unconditional, written out before from a set: lower beats higher. */
export type Precedence = 0 | 1 | 2 | 3;

/** A resolved rule among those of its number. */
export interface Candidate extends ResolvedRule {
  readonly precedence: Precedence;
  /** Call it was found by, for messages. */
  readonly name: string;
}

/**
 * Refuses rules of equal precedence that give one call different actions, so that the order of rules never decides.
 *
 * @param candidates - all rules of one number
 * @throws {PolicyError} `conflict` with both lines and a call on which they differ, `too_complex`
 */
export function checkConflicts(candidates: readonly Candidate[], arch: ArchName): void {
  for (const precedence of [0, 1, 2, 3]) {
    const group = candidates.filter((each) => each.precedence === precedence);
    const actions = new Set(group.map(({ action }) => action));
    // The last action has been held against all others by then.
    for (const action of [...actions].slice(0, -1)) checkAction(group, action, arch);
  }
}

/** Holds all rules of one action against all rules with another one at once: rules may be many. */
function checkAction(group: readonly Candidate[], action: number, arch: ArchName): void {
  const same = group.filter((each) => each.action === action);
  const others = group.filter((each) => each.action !== action);
  const witness = search(same, others);
  if (!witness) return;
  const data = { nr: 0, arch: ARCHES[arch].token, ...witness };
  const matches = ({ condition }: Candidate): boolean => condition === undefined || holds(condition, data);
  const [left, right] = [same.find(matches), others.find(matches)] as [Candidate, Candidate];
  const [first, second] = group.indexOf(left) < group.indexOf(right) ? [left, right] : [right, left];
  throw new PolicyError('conflict', explain(first, second, witness, arch), second.rule.place);
}

function search(same: readonly Candidate[], others: readonly Candidate[]): Witness | undefined {
  try {
    return findCall(union(same), union(others));
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    const rule = others[0]?.rule;
    throw new PolicyError(error.code, `the conditions of ${others[0]?.name} are ${error.problem}`, rule?.place);
  }
}

function union(candidates: readonly Candidate[]): ResolvedCondition {
  // An unconditional rule is "and" of nothing.
  return { kind: 'or', operands: candidates.map(({ condition }) => condition ?? { kind: 'and', operands: [] }) };
}

function explain(first: Candidate, second: Candidate, witness: Witness, arch: ArchName): string {
  const call = `${second.name}(${callArguments(second, witness, arch)})`;
  const other = `${printAction(first.rule.action)} by ${describeRule(first.rule, second.rule.place)}`;
  return `${call} gets ${printAction(second.rule.action)} here, but ${other}: leave one out, or make their conditions exclude each other`;
}

function callArguments({ name, condition }: Candidate, witness: Witness, arch: ArchName): string {
  if (condition === undefined) return '...';
  // raw() compares registers that the call does not have, too.
  const count = Math.max(parameters(arch, name)?.length ?? 6, witness.args.findLastIndex((value) => value !== 0n) + 1);
  const values = witness.args.slice(0, count).map((value) => (value < 10n ? String(value) : `0x${value.toString(16)}`));
  const pointer = witness.instructionPointer;
  return pointer === 0n ? values.join(', ') : `${values.join(', ')}; ip = 0x${pointer.toString(16)}`;
}
