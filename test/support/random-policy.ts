// Random policies, already resolved, and calls at their boundaries. Everything comes from a seed, so a failure can be repeated.
import { ARCHES, type ArchName, X32_SYSCALL_BIT } from '../../src/facts/arches.ts';
import type { SeccompData } from '../../src/facts/seccomp.ts';
import type { Rule } from '../../src/policy/model.ts';
import { findCall } from '../../src/policy/overlap.ts';
import { ALL_NUMBERS, type Numbers, numbersOf, rangeAt } from '../../src/policy/ranges.ts';
import type {
  ResolvedArch,
  ResolvedCalls,
  ResolvedCondition,
  ResolvedPolicy,
  ResolvedRange,
  ResolvedRule,
  ResolvedTest,
} from '../../src/policy/resolved.ts';

/** mulberry32: numbers in [0, 1). */
export type Random = () => number;
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function pick<T>(random: Random, items: readonly T[]): T {
  return items[Math.floor(random() * items.length)] as T;
}

const below = (random: Random, limit: number): number => Math.floor(random() * limit);
const u32 = (random: Random): number => below(random, 2 ** 32);
const u64 = (random: Random): bigint => (BigInt(u32(random)) << 32n) | BigInt(u32(random));

const ACTIONS = [
  0x7fff_0000, 0x7ffc_0000, 0x0005_0001, 0x0005_0026, 0x0005_0fff, 0x8000_0000, 0, 0x0003_0007, 0x7ff0_0003,
  0x7fc0_0000,
];
const OPERATORS = ['==', '!=', '<', '<=', '>', '>='] as const;
const ARCH_LISTS: readonly (readonly ArchName[])[] = [
  ['x86_64'],
  ['x86_64', 'i386'],
  ['x86_64', 'x32', 'i386'],
  ['i386'],
  ['x32'],
  ['aarch64'],
  ['x86_64', 'x32', 'i386', 'aarch64'],
];
/** Rules made here come from no text. */
const RULE: Rule = { action: { kind: 'allow' }, call: { kind: 'number', number: 0 } };

function randomTest(random: Random, withIp: boolean): ResolvedTest {
  const width = random() < 0.5 ? 32 : 64;
  const all = width === 32 ? 0xffff_ffffn : 0xffff_ffff_ffff_ffffn;
  const mask = pick(random, [all, all, 0xffn, 0xffff_0000n, u64(random), 1n << BigInt(below(random, width))]) & all;
  const value =
    pick(random, [0n, 1n, 2n, 0x8000_0000n, 0x7fff_ffffn, 0xffff_ffffn, 0x1_0000_0000n, all, u64(random)]) & mask;
  const argument = withIp && random() < 0.05 ? 'ip' : below(random, 6);
  return {
    kind: 'test',
    argument,
    width: argument === 'ip' ? 64 : width,
    mask,
    operator: pick(random, OPERATORS),
    value,
  };
}

function randomCondition(random: Random, depth: number, withIp: boolean): ResolvedCondition {
  const choice = random();
  if (depth === 0 || choice < 0.45) return randomTest(random, withIp);
  if (choice < 0.6) return { kind: 'not', operand: randomCondition(random, depth - 1, withIp) };
  const operands = Array.from({ length: 2 + below(random, 2) }, () => randomCondition(random, depth - 1, withIp));
  return { kind: choice < 0.8 ? 'and' : 'or', operands };
}

/** Rules of one number, each of which some call reaches. */
function randomRules(random: Random, withIp: boolean): readonly ResolvedRule[] {
  const rules: ResolvedRule[] = [];
  const earlier: ResolvedCondition[] = [];
  if (random() < 0.6) {
    for (let count = 1 + below(random, 3); count > 0; count -= 1) {
      const condition = randomCondition(random, 2, withIp);
      const otherwise = { kind: 'not', operand: condition } as const;
      if (!findCall(condition, ...earlier) || !findCall(otherwise, ...earlier)) continue;
      rules.push({ condition, action: pick(random, ACTIONS), rule: RULE });
      earlier.push(otherwise);
    }
  }
  if (rules.length === 0 || random() < 0.5) rules.push({ action: pick(random, ACTIONS), rule: RULE });
  return rules;
}

function randomArch(random: Random, arch: ArchName, withIp: boolean): ResolvedArch {
  const offset = ARCHES[arch].numberOffset;
  const numbers = new Set<number>();
  const count = 1 + below(random, MOST_CALLS);
  while (numbers.size < count) {
    const start = below(random, 470);
    for (let run = 1 + below(random, 3); run > 0; run -= 1) numbers.add(offset + start + run);
  }
  const calls = new Map([...numbers].sort((a, b) => a - b).map((nr) => [nr, randomRules(random, withIp)] as const));
  const unknown = { above: offset + 300 + below(random, 180), action: pick(random, ACTIONS) };
  return { arch, calls, default: pick(random, ACTIONS), ...(random() < 0.6 ? { unknown } : {}) };
}

/** Up to three ranges, short and long, up to the edges of what there is; numbers in them that have rules end in theirs. */
function withRanges<T extends ResolvedCalls>(random: Random, own: T, { from, to }: Numbers): T {
  const near = (): number => Math.min(to, from + below(random, 600));
  const ends = [near(), near(), near(), from + below(random, to - from), to, from].sort((a, b) => a - b);
  const ranges: ResolvedRange[] = [];
  for (let index = 0; index < ends.length; index += 2) {
    const [first, last] = [ends[index] as number, ends[index + 1] as number];
    if (first < last && first > (ranges.at(-1)?.to ?? -1))
      ranges.push({ from: first, to: last, rule: { action: pick(random, ACTIONS), rule: RULE } });
  }
  const ended = (nr: number, rules: readonly ResolvedRule[]): readonly ResolvedRule[] => {
    const range = rules.at(-1)?.condition && rangeAt(ranges, nr);
    return range ? [...rules, range.rule] : rules;
  };
  return { ...own, ranges, calls: new Map([...own.calls].map(([nr, rules]) => [nr, ended(nr, rules)])) };
}

export interface PolicyShape {
  readonly arches?: readonly ArchName[];
  /** Whether conditions may look at the instruction pointer. */
  readonly instructionPointer?: boolean;
  /** Whether ABIs have ranges of numbers, and other ABIs rules. */
  readonly ranges?: boolean;
}

const MOST_CALLS = 60;

export function randomPolicy(random: Random, shape: PolicyShape = {}): ResolvedPolicy {
  const list = shape.arches ?? pick(random, ARCH_LISTS);
  const instructionPointer = shape.instructionPointer ?? true;
  const arches = list.map((arch) => randomArch(random, arch, instructionPointer));
  const policy = { arches, badArch: pick(random, [0x8000_0000, 0x0005_0016]), notes: [] };
  if (!shape.ranges) return policy;
  const { calls } = randomArch(random, 'aarch64', instructionPointer);
  const other = { littleEndian: ARCHES[list[0] as ArchName].littleEndian, calls };
  return {
    ...policy,
    arches: arches.map((each) => withRanges(random, each, numbersOf(each.arch))),
    other: withRanges(random, other, ALL_NUMBERS),
  };
}

function testsOf(condition: ResolvedCondition): readonly ResolvedTest[] {
  if (condition.kind === 'test') return [condition];
  return condition.kind === 'not' ? testsOf(condition.operand) : condition.operands.flatMap(testsOf);
}

/** A value near what a test compares: at it, one above, one below, in each word, with all kinds of high halves. */
function nearValue(random: Random, { value, mask }: ResolvedTest): bigint {
  const step = pick(random, [0n, 0n, 1n, -1n, 1n << 32n, -(1n << 32n)]);
  const near = BigInt.asUintN(64, value + step);
  const outside = random() < 0.3 ? u64(random) & BigInt.asUintN(64, ~mask) : 0n;
  const high = pick(random, [near >> 32n, near >> 32n, 0n, 0xffff_ffffn, 1n]);
  return (high << 32n) | (near & 0xffff_ffffn) | outside;
}

function randomNumber(random: Random, arch: ResolvedCalls & Pick<ResolvedArch, 'unknown'>): number {
  const known = pick(random, [...arch.calls.keys()]);
  const edges = [known, ...(arch.unknown ? [arch.unknown.above] : []), ...edgesOf(arch)];
  const nr = pick(random, edges) + pick(random, [0, 0, 1, -1]);
  const flipped = random() < 0.05 ? nr ^ pick(random, [X32_SYSCALL_BIT, 0x8000_0000]) : nr;
  return random() < 0.02 ? u32(random) : flipped >>> 0;
}

function edgesOf({ ranges = [] }: ResolvedCalls): readonly number[] {
  return ranges.flatMap(({ from, to }) => [from, to]);
}

/** A token of no ABI that is listed, of machines that store words as `other` reads them. */
function otherToken({ arches, other }: ResolvedPolicy): number {
  const listed = new Set(arches.map(({ arch }) => ARCHES[arch].token));
  const free = Object.values(ARCHES).find(
    ({ token, littleEndian }) => littleEndian === other?.littleEndian && !listed.has(token),
  );
  return free?.token ?? 0x1234;
}

/** A call that ends in the given rule of a number. */
function callFor(rules: readonly ResolvedRule[], index: number): Pick<SeccompData, 'instructionPointer' | 'args'> {
  const wanted = rules[index]?.condition;
  const earlier = rules.slice(0, index).flatMap(({ condition }) => (condition ? [condition] : []));
  const found = findCall(...(wanted ? [wanted] : []), ...earlier.map((operand) => ({ kind: 'not', operand }) as const));
  if (!found) throw new Error('a rule that no call reaches');
  return found;
}

/** One call at a boundary of the policy, or in the middle of a rule. */
export function boundaryCall(random: Random, policy: ResolvedPolicy): SeccompData {
  const listed = pick(random, policy.arches);
  const isOther = policy.other !== undefined && random() < 0.2;
  const arch: ResolvedCalls = isOther && policy.other ? policy.other : listed;
  const token =
    random() < 0.02
      ? pick(random, [0, u32(random), ...Object.values(ARCHES).map((each) => each.token)])
      : isOther
        ? otherToken(policy)
        : ARCHES[listed.arch].token;
  const conditional = [...arch.calls].filter(([, rules]) => rules.some(({ condition }) => condition));
  if (conditional.length === 0 || random() < 0.25) {
    const args = Array.from({ length: 6 }, () => u64(random));
    return { nr: randomNumber(random, arch), arch: token, instructionPointer: u64(random), args };
  }
  const [nr, rules] = pick(random, conditional);
  const base = callFor(rules, below(random, rules.length));
  const call = { nr, arch: token, instructionPointer: base.instructionPointer, args: [...base.args] };
  if (random() < 0.4) return call;
  const test = pick(
    random,
    rules.flatMap(({ condition }) => (condition ? testsOf(condition) : [])),
  );
  if (test.argument === 'ip') return { ...call, instructionPointer: nearValue(random, test) };
  call.args[test.argument] = nearValue(random, test);
  return call;
}

/** One call for every rule of every number, for each number's neighbours, and for tokens and ABIs that are not listed. */
export function callsOfEveryRule(policy: ResolvedPolicy): SeccompData[] {
  const nothing = { instructionPointer: 0n, args: [0n, 0n, 0n, 0n, 0n, 0n] };
  const foreign = Object.values(ARCHES).flatMap(({ token }) =>
    [0, X32_SYSCALL_BIT, 0xffff_ffff].map((nr) => ({ nr, arch: token, ...nothing })),
  );
  const sections: readonly (ResolvedCalls & { token: number; first: number; unknown?: ResolvedArch['unknown'] })[] = [
    ...policy.arches.map((each) => ({
      ...each,
      token: ARCHES[each.arch].token,
      first: ARCHES[each.arch].numberOffset,
    })),
    ...(policy.other ? [{ ...policy.other, token: otherToken(policy), first: 0 }] : []),
  ];
  const edges = sections.flatMap((section) => {
    const { token, first, calls, unknown } = section;
    const numbers = [...calls.keys(), ...(unknown ? [unknown.above] : []), first, ...edgesOf(section)];
    const around = numbers.flatMap((nr) => [nr, Math.max(0, nr - 1), Math.min(0xffff_ffff, nr + 1)]);
    return around.map((nr) => ({ nr, arch: token, ...nothing }));
  });
  const rules = sections.flatMap(({ token, calls }) =>
    [...calls].flatMap(([nr, rules]) =>
      // One index more: the call that no rule decides, where there is no rule without a condition.
      [...rules.keys(), ...(rules.at(-1)?.condition ? [rules.length] : [])].map((index) => ({
        nr,
        arch: token,
        ...callFor(rules, index),
      })),
    ),
  );
  return [{ nr: 0, arch: 0, ...nothing }, ...foreign, ...edges, ...rules];
}
