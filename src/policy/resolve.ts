import { PolicyError } from '../base/errors.ts';
import { didYouMean } from '../base/nearest.ts';
import { ARCHES, type ArchName, NO_CALL, X32_SYSCALL_BIT } from '../facts/arches.ts';
import { allSyscallNames, largestNumber, syscallName, syscallNames, syscallNumber } from '../facts/syscalls.ts';
import { encodeAction } from './action.ts';
import { checkListed } from './check-rules.ts';
import { type Candidate, checkConflicts, type Precedence } from './conflicts.ts';
import type { Action, Policy, Rule } from './model.ts';
import { printCall } from './print.ts';
import { ALL_NUMBERS, hasNumbers, type Numbers, numbersOf, rangeAt, resolveRanges } from './ranges.ts';
import { resolveCondition } from './resolve-condition.ts';
import type { ResolvedArch, ResolvedCalls, ResolvedPolicy, ResolvedRule } from './resolved.ts';
import { rulesOfSyscalls } from './service.ts';
import { setMembers, setNames } from './sets.ts';
import { quote } from './source.ts';

/** How a policy is to be resolved. */
export interface ResolveOptions {
  /** ABIs of what it is applied to, for a policy that lists none itself. */
  readonly arches?: readonly ArchName[];
  /** Take the rules of `start:` in too, as `run` and launchers do. */
  readonly includeStart?: boolean;
}

/**
 * Looks everything up that a policy names, for each of its ABIs, and checks that its rules do not contradict each other.
 *
 * @throws {PolicyError} `no_arches`, `only_arch`, `unknown_call`, `unknown_set`, `number_arch`, `other_call`, `range_condition`, `unknown_kernel`,
 *   `conflict`, `too_complex`, and those of `resolveCondition` and `encodeAction`
 */
export function resolvePolicy(policy: Policy, options: ResolveOptions = {}): ResolvedPolicy {
  const arches = policy.arches ?? options.arches ?? [];
  const [first] = arches;
  if (first === undefined) {
    throw new PolicyError(
      'no_arches',
      'the policy lists no ABI, and none is known: write for example "arches: [x86_64]"',
    );
  }
  for (const arch of Object.keys(policy.defaults ?? {})) checkListed(arch as ArchName, policy.arches, undefined);
  const own = rulesOfSyscalls(policy);
  const rules = options.includeStart ? [...own, ...(policy.start ?? [])] : own;
  const notes = checkCalls(rules, arches, policy);
  return {
    arches: arches.map((arch) => resolveArch(policy, rules, arch, arches)),
    badArch: encodeAction(policy.badArch, first),
    ...resolveOther(rules, first),
    notes,
  };
}

/** Finds names, sets and numbers that lead nowhere; returns notes on names that only some of the ABIs have. */
function checkCalls(rules: readonly Rule[], arches: readonly ArchName[], policy: Policy): readonly string[] {
  const skipped = new Map<ArchName, readonly string[]>();
  for (const rule of rules) {
    const { call, only, place } = rule;
    if (call.kind === 'range' && rule.condition) refuseCondition(rule);
    if (only === 'other') {
      checkOther(rule);
      continue;
    }
    if (only) checkListed(only, policy.arches, place);
    const own = only ? [only] : arches;
    if (call.kind === 'set') {
      if (setMembers(policy.sets, call.name)) continue;
      const near = didYouMean(
        `@${call.name}`,
        setNames(policy.sets).map((name) => `@${name}`),
      );
      throw new PolicyError(
        'unknown_set',
        `${quote(`@${call.name}`)} is no set of edition ${policy.sets}${near}`,
        place,
      );
    }
    if (call.kind === 'number' || call.kind === 'range') {
      const first = call.kind === 'number' ? call.number : call.from;
      if (own.some((arch) => (call.kind === 'range' ? hasNumbers(call, arch) : ownsNumber(arch, first, arches))))
        continue;
      const problem = `${printCall(call)} belongs to ${first < X32_SYSCALL_BIT ? 'x86_64, not x32' : 'x32, not x86_64'}`;
      throw new PolicyError(
        'number_arch',
        `${problem}: ${only ? 'put it under that ABI' : 'add the ABI to "arches"'}, or correct the number`,
        place,
      );
    }
    const lacking = own.filter((arch) => syscallNumber(arch, call.name) === undefined);
    if (lacking.length === own.length) refuseName(call.name, own, policy, rule);
    for (const arch of lacking) skipped.set(arch, [...(skipped.get(arch) ?? []), call.name]);
  }
  return [...skipped].map(([arch, names]) => `skipped on ${arch}, which lacks them: ${listed([...new Set(names)])}`);
}

function refuseCondition({ call, place }: Rule): never {
  const problem = `${quote(printCall(call))} takes no condition: write a rule for each number that needs one`;
  throw new PolicyError('range_condition', problem, place);
}

/** Other ABIs have calls of other names: their rules are by number. */
function checkOther({ call, place }: Rule): void {
  if (call.kind === 'number' || call.kind === 'range') return;
  const problem = `${quote(printCall(call))} has no number under "other", which is for every other ABI`;
  throw new PolicyError('other_call', `${problem}: write syscall(number), or add the ABI to "arches"`, place);
}

const NAMES_SHOWN = 12;

function listed(names: readonly string[]): string {
  const more = names.length - NAMES_SHOWN;
  return `${names.slice(0, NAMES_SHOWN).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

function refuseName(name: string, arches: readonly ArchName[], policy: Policy, rule: Rule): void {
  const { place } = rule;
  const only = rule.only === 'other' ? undefined : rule.only;
  const known = new Set(allSyscallNames());
  if (!known.has(name)) {
    const near = didYouMean(name, only ? syscallNames(only) : known);
    throw new PolicyError(
      'unknown_call',
      `${quote(name)} is no system call${near || ': see "selkie sets" for the names'}`,
      place,
    );
  }
  // A policy without ABIs of its own may be meant for others too.
  if (!policy.arches && !only) return;
  const near = only ? didYouMean(name, syscallNames(only)) : '';
  throw new PolicyError(
    'unknown_call',
    `${quote(name)} is no system call of ${arches.join(' or ')}, though of other ABIs${near}`,
    place,
  );
}

/** x86_64 and x32 share a token, and the bit tells them apart (-1 is x86_64's where x32 is not listed); elsewhere every number may be asked for. */
function ownsNumber(arch: ArchName, number: number, arches: readonly ArchName[]): boolean {
  if (arch === 'x86_64') return number < X32_SYSCALL_BIT || (number === NO_CALL && !arches.includes('x32'));
  return arch !== 'x32' || number >= X32_SYSCALL_BIT;
}

function resolveArch(
  policy: Policy,
  rules: readonly Rule[],
  arch: ArchName,
  arches: readonly ArchName[],
): ResolvedArch {
  const own = rules.filter(({ only }) => only === undefined || only === arch);
  return {
    arch,
    ...resolveCalls(own, arch, numbersOf(arch), (rule) => targets(rule, arch, arches, policy.sets)),
    default: encodeAction(policy.defaults?.[arch] ?? policy.default, arch),
    ...(policy.unknown &&
      policy.kernel !== undefined &&
      !policy.defaults?.[arch] && { unknown: unknownFor(policy.kernel, policy.unknown, arch) }),
  };
}

/** Rules for all other ABIs: registers and constants are those of the first one listed. */
function resolveOther(rules: readonly Rule[], first: ArchName): Pick<ResolvedPolicy, 'other'> {
  const own = rules.filter(({ only }) => only === 'other');
  if (own.length === 0) return {};
  const target = ({ call }: Rule): readonly Target[] =>
    call.kind === 'number' ? [{ name: undefined, number: call.number }] : [];
  return { other: { littleEndian: ARCHES[first].littleEndian, ...resolveCalls(own, first, ALL_NUMBERS, target) } };
}

function resolveCalls(
  rules: readonly Rule[],
  arch: ArchName,
  own: Numbers,
  targetsOf: (rule: Rule) => readonly Target[],
): ResolvedCalls {
  const ranges = resolveRanges(rules, own, (rule) => plain(resolveRule(rule, arch, undefined)));
  const byNumber = new Map<number, Candidate[]>();
  for (const rule of rules)
    for (const { name, number } of targetsOf(rule)) {
      const candidate = resolveRule(rule, arch, name);
      const group = byNumber.get(number);
      if (group) group.push(candidate);
      else byNumber.set(number, [candidate]);
    }
  const numbers = [...byNumber].sort(([left], [right]) => left - right);
  const withRange = (number: number, candidates: readonly Candidate[]): readonly ResolvedRule[] => {
    const range = rangeAt(ranges, number);
    return [...order(candidates, arch), ...(range ? [range.rule] : [])];
  };
  return {
    calls: new Map(numbers.map(([number, candidates]) => [number, withRange(number, candidates)])),
    ...(ranges.length > 0 && { ranges }),
  };
}

interface Target {
  readonly name: string | undefined;
  readonly number: number;
}

function targets({ call }: Rule, arch: ArchName, arches: readonly ArchName[], sets: Policy['sets']): readonly Target[] {
  if (call.kind === 'number') {
    return ownsNumber(arch, call.number, arches) ? [{ name: syscallName(arch, call.number), number: call.number }] : [];
  }
  if (call.kind === 'range') return [];
  const names = call.kind === 'set' ? (setMembers(sets, call.name) ?? []).map(({ name }) => name) : [call.name];
  return names.flatMap((name) => {
    const number = syscallNumber(arch, name);
    return number === undefined ? [] : [{ name, number }];
  });
}

function resolveRule(rule: Rule, arch: ArchName, name: string | undefined): Candidate {
  const fromSet = rule.call.kind === 'set';
  return {
    action: located(rule, () => encodeAction(rule.action, arch)),
    rule,
    precedence: ((rule.condition ? 0 : 2) + (fromSet ? 1 : 0)) as Precedence,
    name: name ?? 'syscall',
    ...(rule.condition && {
      condition: located(rule, () =>
        resolveCondition(rule.condition as NonNullable<typeof rule.condition>, { arch, name }),
      ),
    }),
  };
}

/** Gives errors that have no place the place of their rule. */
function located<T>(rule: Rule, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof PolicyError) || error.place || !rule.place) throw error;
    throw new PolicyError(error.code, error.problem, rule.place, { cause: error });
  }
}

function order(candidates: readonly Candidate[], arch: ArchName): readonly ResolvedRule[] {
  const sorted = candidates.toSorted((left, right) => left.precedence - right.precedence);
  checkConflicts(sorted, arch);
  return sorted.map(plain);
}

function plain({ action, rule, condition }: Candidate): ResolvedRule {
  return { action, rule, ...(condition && { condition }) };
}

function unknownFor(kernel: string, unknown: Action, arch: ArchName): { above: number; action: number } {
  const above = largestNumber(arch, kernel);
  if (above < 0) throw new PolicyError('unknown_kernel', `Linux ${kernel} did not have ${arch} yet: correct "kernel"`);
  return { above, action: encodeAction(unknown, arch) };
}
