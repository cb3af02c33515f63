import { PolicyError } from '../../base/errors.ts';
import { ARCHES, type ArchName, NO_CALL } from '../../facts/arches.ts';
import { syscallName, syscallNumber } from '../../facts/syscalls.ts';
import { actionOf, encodeAction, printAction } from '../../policy/action.ts';
import { printCondition } from '../../policy/condition-print.ts';
import type { Action, Call, Policy, Rule } from '../../policy/model.ts';
import { printCall } from '../../policy/print.ts';
import { type Numbers, numbersOf } from '../../policy/ranges.ts';
import { resolvePolicy } from '../../policy/resolve.ts';
import { canonical } from '../actions.ts';
import { type Diagrams, FALSE, type Node, TRUE } from '../diagrams.ts';
import { diagramOfPolicy } from '../from-policy.ts';
import { diagramOfIntervals } from '../intervals.ts';
import { swapWords } from '../swap-words.ts';
import { RANK_ARCH, RANK_NR } from '../words.ts';
import { type Abi, abisOf } from './abis.ts';
import { bestDefaults, type Defaults, lastKnown, withoutRule } from './defaults.ts';
import { type LiftedOther, liftOther } from './other.ts';
import { rulesOfCall } from './rules.ts';

const LAST = 0xffff_ffff;

/** A policy made from a diagram. */
export interface Lifted {
  readonly policy: Policy;
  /** It means exactly what the diagram means: proven. */
  readonly isExact: boolean;
  /** What the policy language cannot say; the policy leaves it out. */
  readonly problems: readonly string[];
  /** Whether it is proven that nothing but the calls named by `problems` differs. */
  readonly isExactElsewhere: boolean;
}

/**
 * A policy that means what a diagram means, in few rules. It is resolved and proven equal before it is returned; what does not fit
 * the language is reported and left out.
 *
 * @throws {CannotTellError} when it takes more than the limits of the space
 */
export function liftDiagram(space: Diagrams, root: Node): Lifted {
  return new Lifter(space, canonical(space, root)).lift();
}

/** What a number that is listed costs, in steps: names, rules and their text. */
const RULE_STEPS = 100;
/** A range of more numbers than this is not listed one by one. */
const MOST_NUMBERS = 5000;
/** So many numbers without a name are written as a range. */
const SHORTEST_RANGE = 4;

class Lifter {
  readonly #space: Diagrams;
  readonly #root: Node;
  readonly #problems: string[] = [];
  /** Calls that the problems are about. */
  #excepted: Node = FALSE;

  constructor(space: Diagrams, root: Node) {
    this.#space = space;
    this.#root = root;
  }

  lift(): Lifted {
    const { abis, elsewhere, strangers } = abisOf(this.#space, this.#root);
    for (const { from, to } of strangers) {
      const tokens = from === to ? `token 0x${from.toString(16)}` : `tokens from 0x${from.toString(16)} on`;
      this.#except(
        `calls of architecture ${tokens}, which Selkie does not know`,
        valuesOf(this.#space, RANK_ARCH, from, to),
      );
    }
    const other = liftOther(this.#space, elsewhere, abis[0]?.arch ?? 'x86_64');
    for (const { from, to, problem } of other.problems)
      this.#except(
        problem,
        this.#space.and(valuesOf(this.#space, RANK_NR, from, to), this.#space.not(this.#listed(abis))),
      );
    const policy = abis.length === 0 ? this.#constant(other.badArch) : this.#policy(abis, other);
    const isExactElsewhere = this.#isEqual(policy);
    return {
      policy,
      isExact: isExactElsewhere && this.#problems.length === 0,
      isExactElsewhere,
      problems: this.#problems,
    };
  }

  /** Notes what the language cannot say, and of which calls. */
  #except(problem: string, where: Node): void {
    this.#problems.push(problem);
    this.#excepted = this.#space.or(this.#excepted, where);
  }

  /** The same for every call there is. */
  #constant(action: number): Policy {
    const only = actionOf(action, 'x86_64');
    return { selkie: 1, sets: 1, arches: ['x86_64'], default: only, badArch: only, syscalls: [] };
  }

  /** The calls of some ABIs. */
  #listed(abis: readonly Abi[]): Node {
    const calls = abis.map(({ arch }) => this.#numbers(arch, numbersOf(arch).from, numbersOf(arch).to));
    return calls.reduce((any, each) => this.#space.or(any, each), FALSE);
  }

  #policy(abis: readonly Abi[], { badArch, rules: others }: LiftedOther): Policy {
    const defaults: Defaults = bestDefaults(this.#space, abis) ?? {
      default: this.#space.leaf(badArch),
      own: new Map(),
    };
    const arches = abis.map(({ arch }) => arch);
    const [first] = arches as [ArchName, ...ArchName[]];
    const byText = new Map<string, { rule: Rule; arches: Set<ArchName> }>();
    for (const abi of abis)
      for (const rule of this.#rules(abi, defaults)) {
        const key = textOf(rule);
        const known = byText.get(key) ?? { rule, arches: new Set() };
        known.arches.add(abi.arch);
        byText.set(key, known);
      }
    const gets = (arch: ArchName, { call, action }: Rule): boolean => this.#getsAlways(abis, arch, call, action);
    const rules = [...byText.values()].flatMap((each) => share(each.rule, each.arches, arches, gets));
    return {
      selkie: 1,
      sets: 1,
      arches,
      default: actionOf(this.#space.action(defaults.default), first),
      ...(defaults.own.size > 0 && {
        defaults: Object.fromEntries(
          [...defaults.own].map(([arch, node]) => [arch, actionOf(this.#space.action(node), arch)]),
        ),
      }),
      ...(defaults.kernel !== undefined &&
        defaults.unknown !== undefined && {
          kernel: defaults.kernel,
          unknown: actionOf(this.#space.action(defaults.unknown), first),
        }),
      badArch: actionOf(badArch, first),
      syscalls: [...rules, ...others].sort(byAction),
    };
  }

  /** Whether a call gets an action on an ABI whatever its arguments are. */
  #getsAlways(abis: readonly Abi[], arch: ArchName, call: Call, action: Action): boolean {
    const nr = call.kind === 'name' ? syscallNumber(arch, call.name) : undefined;
    if (nr === undefined) return false;
    const range = abis.find((abi) => abi.arch === arch)?.ranges.find(({ from, to }) => nr >= from && nr <= to);
    return range?.node === this.#space.leaf(encodeAction(action, arch));
  }

  #rules({ arch, ranges }: Abi, defaults: Defaults): Rule[] {
    const split = lastKnown(arch, defaults);
    return ranges.flatMap(({ from, to, node }) =>
      [
        { from, to: Math.min(to, split) },
        { from: Math.max(from, split + 1), to },
      ].flatMap((part) => {
        // -1 gets bad_arch where nothing is said of it.
        const isDefault =
          (part.from !== NO_CALL || arch !== 'x86_64') && node === withoutRule(arch, part.from, defaults);
        return part.from > part.to || isDefault ? [] : this.#part(arch, part, node, defaults);
      }),
    );
  }

  /** Rules for numbers that get the same. */
  #part(arch: ArchName, { from, to }: Numbers, node: Node, defaults: Defaults): Rule[] {
    const isFew = to - from < MOST_NUMBERS;
    const action = this.#space.isLeaf(node) ? actionOf(this.#space.action(node), arch) : undefined;
    if (!isFew && action) return [{ action, call: { kind: 'range', from, to } }];
    if (isFew)
      return action ? this.#byName(arch, { from, to }, action) : this.#each(arch, { from, to }, node, defaults);
    this.#except(`what syscall(${from}) to syscall(${to}) of ${arch} get`, this.#numbers(arch, from, to));
    return [];
  }

  /** A rule for each number, and one for each run of those that have no name. */
  #byName(arch: ArchName, { from, to }: Numbers, action: Action): Rule[] {
    const rules: Rule[] = [];
    let first = from;
    const endRun = (end: number): void => {
      if (end - first < SHORTEST_RANGE)
        for (let nr = first; nr < end; nr += 1) rules.push({ action, call: { kind: 'number', number: nr } });
      else rules.push({ action, call: { kind: 'range', from: first, to: end - 1 } });
    };
    for (let nr = from; nr <= to; nr += 1) {
      this.#space.count(RULE_STEPS);
      const name = syscallName(arch, nr);
      if (name === undefined) continue;
      endRun(nr);
      rules.push({ action, call: { kind: 'name', name } });
      first = nr + 1;
    }
    endRun(to + 1);
    return rules;
  }

  #each(arch: ArchName, { from, to }: Numbers, node: Node, defaults: Defaults): Rule[] {
    const rules: Rule[] = [];
    const words = ARCHES[arch].littleEndian ? node : swapWords(this.#space, node);
    const fallback = defaults.own.get(arch) ?? defaults.default;
    for (let nr = from; nr <= to; nr += 1) {
      this.#space.count(RULE_STEPS);
      const made = rulesOfCall(this.#space, words, arch, nr, syscallName(arch, nr), fallback);
      if (made.problem !== undefined) this.#except(made.problem, this.#numbers(arch, nr, nr));
      rules.push(...made.rules);
    }
    return rules;
  }

  #numbers(arch: ArchName, from: number, to: number): Node {
    const space = this.#space;
    return space.and(anyOf(space, [ARCHES[arch].token]), valuesOf(space, RANK_NR, from, to));
  }

  /** Whether policy and filter are equal but for the calls of the problems. */
  #isEqual(policy: Policy): boolean {
    const space = this.#space;
    try {
      const meaning = canonical(space, diagramOfPolicy(space, resolvePolicy(policy)));
      const compared = (node: Node): Node => space.choose(this.#excepted, FALSE, node);
      if (compared(meaning) === compared(this.#root)) return true;
      this.#problems.push('the rules do not say all of it');
    } catch (error) {
      if (!(error instanceof PolicyError)) throw error;
      this.#problems.push(error.problem);
    }
    return false;
  }
}

/** Calls for which a word has a value from `from` to `to`. */
function valuesOf(space: Diagrams, rank: number, from: number, to: number): Node {
  const inside = [{ from, node: TRUE }, ...(to < LAST ? [{ from: to + 1, node: FALSE }] : [])];
  return diagramOfIntervals(space, rank, from === 0 ? inside : [{ from: 0, node: FALSE }, ...inside]);
}

/** Calls of one of some tokens. */
function anyOf(space: Diagrams, tokens: readonly number[]): Node {
  return tokens.reduce((any, token) => space.or(any, valuesOf(space, RANK_ARCH, token, token)), FALSE);
}

function textOf({ action, call, condition }: Rule): string {
  return `${printAction(action)} ${printCall(call)} ${condition ? printCondition(condition) : ''}`;
}

/** One rule for all ABIs where all that have the call have it, or get its action anyway; else one for each. */
function share(
  rule: Rule,
  having: ReadonlySet<ArchName>,
  arches: readonly ArchName[],
  gets: (arch: ArchName, rule: Rule) => boolean,
): Rule[] {
  const { call } = rule;
  const concerned = arches.filter((arch) => call.kind !== 'name' || syscallNumber(arch, call.name) !== undefined);
  const isForAll =
    call.kind === 'number' || call.kind === 'range'
      ? arches.length === 1
      : concerned.every((arch) => having.has(arch) || (having.size > 1 && gets(arch, rule)));
  if (isForAll) return [rule];
  return [...having].map((only) => ({ ...rule, only }));
}

/** What is allowed first, then by name. */
function byAction(left: Rule, right: Rule): number {
  const key = (rule: Rule): string =>
    `${rule.only ?? ''} ${rule.action.kind === 'allow' ? 0 : 1}${printAction(rule.action)} ${printCall(rule.call)}`;
  return key(left) < key(right) ? -1 : key(left) > key(right) ? 1 : 0;
}
