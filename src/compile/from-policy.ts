import { ARCHES, X32_SYSCALL_BIT } from '../facts/arches.ts';
import { OFFSET_ARGS, PROBE_ARGUMENT, PROBE_ERRNO, PROBE_OPERATION, SECCOMP_RET_ERRNO } from '../facts/seccomp.ts';
import { syscallNumber } from '../facts/syscalls.ts';
import type { ResolvedArch, ResolvedPolicy, ResolvedRule } from '../policy/resolved.ts';
import type { Decision, FilterDecision, Interval, Return, TokenDecision } from './decision.ts';
import { lowerCondition, lowWord, word } from './lower-condition.ts';

const ALL_BITS = 0xffff_ffff;

/** What a policy decides, number by number, with equal neighbours merged. `probe`: see facts/seccomp.ts. */
export function decisionOf(policy: ResolvedPolicy, probe: boolean): FilterDecision {
  const returns = new Map<number, Return>();
  const returnOf = (action: number): Return => {
    const known = returns.get(action) ?? { kind: 'return', action };
    returns.set(action, known);
    return known;
  };
  const badArch = returnOf(policy.badArch);
  const tokens = [...new Set(policy.arches.map(({ arch }) => ARCHES[arch].token))];
  return {
    badArch,
    tokens: tokens.map((token): TokenDecision => {
      const arches = policy.arches.filter(({ arch }) => ARCHES[arch].token === token);
      const intervals = arches.flatMap((arch) => intervalsOf(arch, probe, returnOf));
      return { token, intervals: merge(fillX32(token, arches, intervals, badArch)) };
    }),
  };
}

/** x86_64 and x32 share a token: the half of the numbers whose ABI is not listed gets bad_arch. */
function fillX32(
  token: number,
  arches: readonly ResolvedArch[],
  intervals: readonly Interval[],
  badArch: Return,
): readonly Interval[] {
  if (token !== ARCHES.x32.token) return intervals;
  const has = (name: string): boolean => arches.some(({ arch }) => arch === name);
  const missing: Interval[] = [];
  if (!has('x86_64')) missing.push({ from: 0, decision: badArch });
  if (!has('x32')) missing.push({ from: X32_SYSCALL_BIT, decision: badArch });
  return [...intervals, ...missing].sort((a, b) => a.from - b.from);
}

function intervalsOf(arch: ResolvedArch, probe: boolean, returnOf: (action: number) => Return): Interval[] {
  const { numberOffset: first, littleEndian } = ARCHES[arch.arch];
  const elsewhere = returnOf(arch.default);
  const unknown = arch.unknown && returnOf(arch.unknown.action);
  const otherwise = (nr: number): Return => (arch.unknown && unknown && nr > arch.unknown.above ? unknown : elsewhere);
  const calls = new Map(
    [...arch.calls].map(([nr, rules]) => [nr, decideRules(rules, elsewhere, returnOf, littleEndian)] as const),
  );
  const seccomp = probe ? syscallNumber(arch.arch, 'seccomp') : undefined;
  if (seccomp !== undefined)
    calls.set(seccomp, answerProbe(calls.get(seccomp) ?? otherwise(seccomp), returnOf, littleEndian));

  const intervals: Interval[] = [{ from: first, decision: otherwise(first) }];
  const edges = new Set([...calls.keys()].flatMap((nr) => [nr, nr + 1]));
  if (arch.unknown) edges.add(arch.unknown.above + 1);
  for (const from of [...edges].sort((a, b) => a - b))
    if (from >= first && from <= ALL_BITS) intervals.push({ from, decision: calls.get(from) ?? otherwise(from) });
  return intervals;
}

/** Rules are sorted by precedence: the first whose condition holds decides. */
function decideRules(
  rules: readonly ResolvedRule[],
  elsewhere: Return,
  returnOf: (action: number) => Return,
  littleEndian: boolean,
): Decision {
  return rules.reduceRight(
    (rest: Decision, { condition, action }) =>
      condition ? lowerCondition(condition, returnOf(action), rest, littleEndian) : returnOf(action),
    elsewhere,
  );
}

function answerProbe(rest: Decision, returnOf: (action: number) => Return, littleEndian: boolean): Decision {
  const answer = returnOf((SECCOMP_RET_ERRNO | PROBE_ERRNO) >>> 0);
  const argument = word(lowWord(OFFSET_ARGS + 8, littleEndian), ALL_BITS, '==', PROBE_ARGUMENT, answer, rest);
  return word(lowWord(OFFSET_ARGS, littleEndian), ALL_BITS, '==', PROBE_OPERATION, argument, rest);
}

/** Drops intervals that say what the one before them says; of two with the same start the later one counts. */
function merge(intervals: readonly Interval[]): Interval[] {
  const merged: Interval[] = [];
  for (const interval of intervals) {
    if (merged.at(-1)?.from === interval.from) merged.pop();
    if (merged.at(-1)?.decision !== interval.decision) merged.push(interval);
  }
  return merged;
}
