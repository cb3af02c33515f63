import { highHalf, lowHalf } from '../base/u64.ts';
import { ARCHES, NO_CALL, X32_SYSCALL_BIT } from '../facts/arches.ts';
import { PROBE_ERRNO, SERVICE_PROBE_ERRNO } from '../facts/seccomp.ts';
import { rangeAt } from '../policy/ranges.ts';
import type {
  ResolvedArch,
  ResolvedCalls,
  ResolvedCondition,
  ResolvedPolicy,
  ResolvedRule,
  ResolvedTest,
} from '../policy/resolved.ts';
import { type Diagrams, FALSE, type Node, TRUE } from './diagrams.ts';
import { diagramOfIntervals, type Interval } from './intervals.ts';
import { answeringProbe } from './probe.ts';
import { type Vector, Vectors } from './vectors.ts';
import { RANK_ARCH, RANK_NR, valueOffset } from './words.ts';

const LAST = 0xffff_ffff;

export interface PolicyMeaning {
  /** Also answer the probe call (facts/seccomp.ts) with its magic errno (`service`: that of a second program), before anything that the policy says of seccomp(2). */
  readonly probe?: boolean | 'service';
}

/** What a policy says of every call, as a diagram whose leaves are SECCOMP_RET_* with their data. */
export function diagramOfPolicy(space: Diagrams, policy: ResolvedPolicy, { probe = false }: PolicyMeaning = {}): Node {
  const meaning = new PolicyReader(space, policy).run();
  return probe
    ? answeringProbe(
        space,
        meaning,
        policy.arches.map(({ arch }) => arch),
        probe === 'service' ? SERVICE_PROBE_ERRNO : PROBE_ERRNO,
      )
    : meaning;
}

/** The numbers of a section, and what those get that no rule names: up to `above`, and beyond. */
interface Numbering {
  readonly first: number;
  readonly last: number;
  readonly littleEndian: boolean;
  readonly elsewhere: Node;
  readonly newer: Node;
  readonly above: number;
}

class PolicyReader {
  readonly #space: Diagrams;
  readonly #policy: ResolvedPolicy;
  readonly #vectors: Vectors;
  readonly #badArch: Node;
  readonly #conditions = new Map<string, Node>();

  constructor(space: Diagrams, policy: ResolvedPolicy) {
    this.#space = space;
    this.#policy = policy;
    this.#vectors = new Vectors(space);
    this.#badArch = space.leaf(policy.badArch);
  }

  run(): Node {
    const tokens = [...new Set(this.#policy.arches.map(({ arch }) => ARCHES[arch].token))].sort((a, b) => a - b);
    const elsewhere = diagramOfIntervals(this.#space, RANK_NR, this.#other(0, LAST));
    const intervals: Interval[] = [{ from: 0, node: elsewhere }];
    for (const token of tokens) {
      push(intervals, { from: token, node: this.#token(token) });
      if (token < LAST) push(intervals, { from: token + 1, node: elsewhere });
    }
    return diagramOfIntervals(this.#space, RANK_ARCH, intervals);
  }

  /** x86_64 and x32 share a token: the half of the numbers whose ABI is not listed is `other`, but for -1 if x86_64 has rules for it. */
  #token(token: number): Node {
    const arches = this.#policy.arches.filter(({ arch }) => ARCHES[arch].token === token);
    const [only] = arches;
    if (token !== ARCHES.x32.token)
      return diagramOfIntervals(this.#space, RANK_NR, this.#numbers(only as ResolvedArch));
    const intervals: Interval[] = [];
    for (const from of [0, X32_SYSCALL_BIT]) {
      const arch = arches.find(({ arch }) => ARCHES[arch].numberOffset === from);
      const to = from === 0 ? X32_SYSCALL_BIT - 1 : LAST;
      for (const interval of arch ? this.#numbers(arch) : this.#other(from, to)) push(intervals, interval);
    }
    const ofNoCall = only?.arch === 'x86_64' ? only.calls.get(NO_CALL) : undefined;
    if (only && ofNoCall)
      push(intervals, { from: NO_CALL, node: this.#rules(ofNoCall, this.#space.leaf(only.default), true) });
    return diagramOfIntervals(this.#space, RANK_NR, intervals);
  }

  #numbers(arch: ResolvedArch): Interval[] {
    const { numberOffset: first, littleEndian } = ARCHES[arch.arch];
    const elsewhere = this.#space.leaf(arch.default);
    const { unknown } = arch;
    const newer = unknown ? this.#space.leaf(unknown.action) : elsewhere;
    const last = arch.arch === 'x86_64' ? X32_SYSCALL_BIT - 1 : LAST;
    return this.#intervals(arch, { first, last, littleEndian, elsewhere, newer, above: unknown?.above ?? LAST });
  }

  /** What calls get that are of no ABI listed. */
  #other(first: number, last: number): Interval[] {
    const { other } = this.#policy;
    if (!other) return [{ from: first, node: this.#badArch }];
    const { littleEndian } = other;
    const elsewhere = this.#badArch;
    return this.#intervals(other, { first, last, littleEndian, elsewhere, newer: elsewhere, above: LAST });
  }

  #intervals(own: ResolvedCalls, { first, last, littleEndian, elsewhere, newer, above }: Numbering): Interval[] {
    const ranges = own.ranges ?? [];
    const otherwise = (nr: number): Node => {
      const range = rangeAt(ranges, nr);
      return range ? this.#space.leaf(range.rule.action) : nr > above ? newer : elsewhere;
    };
    const calls = new Map<number, Node>();
    for (const [nr, rules] of own.calls) calls.set(nr, this.#rules(rules, elsewhere, littleEndian));
    const nodeOf = (nr: number): Node => calls.get(nr) ?? otherwise(nr);
    const edges = new Set([...calls.keys()].flatMap((nr) => [nr, nr + 1]));
    for (const { from, to } of ranges) edges.add(from).add(to + 1);
    edges.add(above + 1);
    const intervals: Interval[] = [{ from: first, node: nodeOf(first) }];
    for (const from of [...edges].sort((a, b) => a - b))
      if (from >= first && from <= last) push(intervals, { from, node: nodeOf(from) });
    return intervals;
  }

  /** Rules are sorted by precedence: the first whose condition holds decides. */
  #rules(rules: readonly ResolvedRule[], elsewhere: Node, littleEndian: boolean): Node {
    return rules.reduceRight((rest, { condition, action }) => {
      const leaf = this.#space.leaf(action);
      return condition ? this.#space.choose(this.condition(condition, littleEndian), leaf, rest) : leaf;
    }, elsewhere);
  }

  condition(condition: ResolvedCondition, littleEndian: boolean): Node {
    switch (condition.kind) {
      case 'and':
        return condition.operands.reduceRight(
          (all, each) => this.#space.and(this.condition(each, littleEndian), all),
          TRUE,
        );
      case 'or':
        return condition.operands.reduceRight(
          (any, each) => this.#space.or(this.condition(each, littleEndian), any),
          FALSE,
        );
      case 'not':
        return this.#space.not(this.condition(condition.operand, littleEndian));
      default:
        return this.#test(condition, littleEndian);
    }
  }

  #test(test: ResolvedTest, littleEndian: boolean): Node {
    const key = `${test.argument} ${test.width} ${test.mask} ${test.operator} ${test.value} ${littleEndian}`;
    const known = this.#conditions.get(key);
    if (known !== undefined) return known;
    const made = this.#testAnew(test, littleEndian);
    this.#conditions.set(key, made);
    return made;
  }

  #testAnew({ argument, width, mask, operator, value }: ResolvedTest, littleEndian: boolean): Node {
    const offset = valueOffset(argument);
    const low = this.#masked(littleEndian ? offset : offset + 4, lowHalf(mask));
    const lowValue = this.#vectors.constant(lowHalf(value));
    if (width === 32) return this.#compare(operator, low, lowValue, TRUE, FALSE);
    const high = this.#masked(littleEndian ? offset + 4 : offset, highHalf(mask));
    return this.#compare64(operator, [high, this.#vectors.constant(highHalf(value))], [low, lowValue]);
  }

  /** The high words decide unless they are equal. */
  #compare64(
    operator: ResolvedTest['operator'],
    [high, highValue]: readonly [Vector, Vector],
    [low, lowValue]: readonly [Vector, Vector],
  ): Node {
    const whenEqual = this.#compare(operator, low, lowValue, TRUE, FALSE);
    const greater = this.#vectors.greater(high, highValue);
    const isUpward = operator === '>' || operator === '>=' || operator === '!=';
    const isDownward = operator === '<' || operator === '<=' || operator === '!=';
    const unequal = this.#space.choose(greater, isUpward ? TRUE : FALSE, isDownward ? TRUE : FALSE);
    return this.#space.choose(this.#vectors.equal(high, highValue), whenEqual, unequal);
  }

  #compare(operator: ResolvedTest['operator'], left: Vector, right: Vector, yes: Node, no: Node): Node {
    switch (operator) {
      case '==':
        return this.#space.choose(this.#vectors.equal(left, right), yes, no);
      case '!=':
        return this.#space.choose(this.#vectors.equal(left, right), no, yes);
      case '>':
        return this.#space.choose(this.#vectors.greater(left, right), yes, no);
      case '<=':
        return this.#space.choose(this.#vectors.greater(left, right), no, yes);
      case '>=':
        return this.#space.choose(this.#vectors.atLeast(left, right), yes, no);
      case '<':
        return this.#space.choose(this.#vectors.atLeast(left, right), no, yes);
    }
  }

  #masked(offset: number, mask: number): Vector {
    const word = this.#vectors.word(offset);
    return mask === LAST ? word : this.#vectors.and(word, this.#vectors.constant(mask));
  }
}

/** Keeps intervals different from their neighbours; of two with the same start the later one counts. */
function push(intervals: Interval[], interval: Interval): void {
  if (intervals.at(-1)?.from === interval.from) intervals.pop();
  if (intervals.at(-1)?.node !== interval.node) intervals.push(interval);
}
