import { PolicyError } from '../../base/errors.ts';
import { printReturn } from '../../bpf/disassemble.ts';
import { ARCHES, type ArchName, NO_CALL } from '../../facts/arches.ts';
import { SECCOMP_RET_KILL_PROCESS } from '../../facts/seccomp.ts';
import { syscallNumber } from '../../facts/syscalls.ts';
import { actionOf, encodeAction, printAction } from '../../policy/action.ts';
import { printCondition } from '../../policy/condition-print.ts';
import type { Action, Call, Policy, Rule } from '../../policy/model.ts';
import { printCall } from '../../policy/print.ts';
import { resolvePolicy } from '../../policy/resolve.ts';
import { canonical } from '../actions.ts';
import { type Diagrams, FALSE, type Node, TRUE } from '../diagrams.ts';
import { diagramOfPolicy } from '../from-policy.ts';
import { diagramOfIntervals } from '../intervals.ts';
import { swapWords } from '../swap-words.ts';
import { RANK_ARCH, RANK_NR } from '../words.ts';
import { type Abi, abisOf } from './abis.ts';
import { bestDefaults, type Defaults, withoutRule } from './defaults.ts';
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
    if (!this.#space.isLeaf(elsewhere))
      this.#except(
        'calls of other architectures: the filter does not look at the architecture and decides them by the numbers of this one',
        this.#space.not(anyOf(this.#space, [...new Set(abis.map(({ arch }) => ARCHES[arch].token))])),
      );
    const badArch = this.#space.isLeaf(elsewhere) ? this.#space.action(elsewhere) : SECCOMP_RET_KILL_PROCESS;
    const policy = abis.length === 0 ? this.#constant(badArch) : this.#policy(abis, badArch);
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

  #policy(abis: readonly Abi[], badArch: number): Policy {
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
      syscalls: rules.sort(byAction),
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
    return ranges.flatMap(({ from, to, node }) => {
      const isFew = to - from < 5000;
      if (!isFew && (node === withoutRule(arch, from, defaults) || node === withoutRule(arch, to, defaults)))
        return this.#edge(arch, from, to, node, defaults);
      if (!isFew) {
        const action = this.#space.isLeaf(node) ? `: ${printReturn(this.#space.action(node), arch)}` : '';
        this.#except(`what syscall(${from}) to syscall(${to}) of ${arch} get${action}`, this.#numbers(arch, from, to));
        return [];
      }
      return this.#each(arch, from, to, node, defaults);
    });
  }

  /** A long range that is the default at one of its ends: the numbers at the other end one by one. */
  #edge(arch: ArchName, from: number, to: number, node: Node, defaults: Defaults): Rule[] {
    let last = from - 1;
    while (last < to && last - from < 5000 && node !== withoutRule(arch, last + 1, defaults)) last += 1;
    return this.#each(arch, from, last, node, defaults);
  }

  #each(arch: ArchName, from: number, to: number, node: Node, defaults: Defaults): Rule[] {
    const rules: Rule[] = [];
    const words = ARCHES[arch].littleEndian ? node : swapWords(this.#space, node);
    for (let nr = from; nr <= to; nr += 1) {
      this.#space.count(RULE_STEPS);
      // -1 gets bad_arch where nothing is said of it.
      if ((nr !== NO_CALL || arch !== 'x86_64') && node === withoutRule(arch, nr, defaults)) continue;
      const made = rulesOfCall(this.#space, words, arch, nr, defaults.own.get(arch) ?? defaults.default);
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
    call.kind === 'number'
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
