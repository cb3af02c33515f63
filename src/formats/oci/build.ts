import { PolicyError } from '../../base/errors.ts';
import { didYouMean } from '../../base/nearest.ts';
import type { ArchName } from '../../facts/arches.ts';
import { errnoName, errnoNumber } from '../../facts/errnos.ts';
import { allSyscallNames, syscallNumber } from '../../facts/syscalls.ts';
import { printAction } from '../../policy/action.ts';
import type { Action, Rule } from '../../policy/model.ts';
import { describeRule, quote } from '../../policy/source.ts';
import type { Fields } from './fields.ts';
import type { Entry } from './profile.ts';
import { conditionOf, type RawRule, rulesOf, textOf } from './rules.ts';

/** Profiles are written for many ABIs: each lacks some fifty names of Docker's. */
const NAMES_SHOWN = 12;

interface BuiltRule {
  readonly rule: Rule;
  /** No comparisons were written: libseccomp lets it swallow all others of its call. */
  readonly whole: boolean;
  readonly order: number;
}

/**
 * The rules of a policy that mean what libseccomp makes of the entries, in the order of the profile: rules with the default action
 * say nothing, a rule without comparisons stands for all of its call, the first such one counts.
 *
 * @throws {PolicyError} `conflict` where a comparison that always holds meets another action
 */
export function buildRules(
  entries: readonly Entry[],
  defaultAction: Action,
  arches: readonly ArchName[],
  fields: Fields,
): readonly Rule[] {
  return new Builder(defaultAction, arches, fields).run(entries);
}

class Builder {
  readonly #defaultAction: Action;
  readonly #arches: readonly ArchName[];
  readonly #fields: Fields;
  readonly #groups = new Map<string, BuiltRule[]>();
  /** Names in rules with the default action, with a line of each. */
  readonly #idle = new Map<string, number | undefined>();
  readonly #skipped = new Map<string, Set<string>>();
  #order = 0;

  constructor(defaultAction: Action, arches: readonly ArchName[], fields: Fields) {
    this.#defaultAction = defaultAction;
    this.#arches = arches;
    this.#fields = fields;
  }

  run(entries: readonly Entry[]): readonly Rule[] {
    for (const entry of entries) this.#entry(entry);
    const kept = [...this.#groups.values()].flatMap((group) => this.#settle(group));
    this.#noteNames();
    return kept.sort((left, right) => left.order - right.order).map(({ rule }) => rule);
  }

  #entry(entry: Entry): void {
    const idle = printAction(entry.action) === printAction(this.#defaultAction);
    let comment = commentOf(entry);
    for (const { name, offset } of entry.names) {
      if (idle) this.#idle.set(name, this.#fields.locate(offset)?.line);
      if (idle || !this.#exists(name, offset)) continue;
      for (const raw of rulesOf(entry, name, offset, this.#arches)) if (this.#add(raw, comment)) comment = undefined;
    }
  }

  /** Whether some ABI has the call; says what is skipped. */
  #exists(name: string, offset: number): boolean {
    const lacking = this.#arches.filter((arch) => syscallNumber(arch, name) === undefined);
    if (lacking.length < this.#arches.length) {
      for (const arch of lacking) this.#skip(`names that ${arch} lacks, skipped there`, name);
      return true;
    }
    const known = allSyscallNames();
    if (known.includes(name)) this.#skip('names of no call of these ABIs, skipped', name);
    else
      this.#fields.note(`no call is named ${quote(name)}${didYouMean(name, known)} (skipped, as runc does)`, {
        offset,
      });
    return false;
  }

  #skip(reason: string, name: string): void {
    const names = this.#skipped.get(reason) ?? new Set();
    this.#skipped.set(reason, names.add(name));
  }

  #add(raw: RawRule, comment: string | undefined): boolean {
    const condition = conditionOf(raw, this.#fields);
    if (condition === 'never') return false;
    const place = this.#fields.locate(raw.offset);
    const rule: Rule = {
      action: nameErrno(raw.entry.action, this.#arches),
      call: { kind: 'name', name: raw.name },
      ...(condition !== 'always' && { condition }),
      ...(place && { place }),
      ...(comment !== undefined && { commentBefore: comment }),
    };
    const built = { rule, whole: raw.args.length === 0 && !raw.multiplexed, order: this.#order };
    this.#order += 1;
    const group = this.#groups.get(raw.name);
    if (group) group.push(built);
    else this.#groups.set(raw.name, [built]);
    return true;
  }

  /** What libseccomp leaves of the rules of one call. */
  #settle(group: readonly BuiltRule[]): readonly BuiltRule[] {
    const whole = group.find((each) => each.whole);
    const always = whole ?? group.find(({ rule }) => !rule.condition);
    // Of equal rules the first is kept.
    if (!always) return [...new Map(group.toReversed().map((each) => [meaningOf(each), each])).values()];
    const others = group.filter((each) => printAction(each.rule.action) !== printAction(always.rule.action));
    if (!whole && others[0]) refuseOverlap(always.rule, others[0].rule);
    for (const { rule } of others) this.#noteSwallowed(rule, always.rule);
    return [always];
  }

  #noteSwallowed(rule: Rule, by: Rule): void {
    const [name] = textOf(rule).split(':');
    const text = `${printAction(rule.action)} for ${name} on line ${rule.place?.line} has no effect`;
    this.#fields.notes.add(
      `${text}: the rule without comparisons on line ${by.place?.line} stands for all, in libseccomp`,
    );
  }

  #noteNames(): void {
    for (const [reason, names] of this.#skipped) this.#fields.notes.add(`${reason}: ${listed([...names].sort())}`);
    for (const [name, line] of this.#idle) {
      if (!this.#groups.has(name)) continue;
      this.#fields.notes.add(`line ${line}: ${name} gets the default action here, which runc reads as no rule at all`);
    }
  }
}

function listed(names: readonly string[]): string {
  const more = names.length - NAMES_SHOWN;
  return `${names.slice(0, NAMES_SHOWN).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** Equal texts have equal meanings. */
function meaningOf({ rule }: BuiltRule): string {
  return `${printAction(rule.action)} ${textOf(rule)}`;
}

function refuseOverlap(always: Rule, other: Rule): never {
  const [first, second] = (always.place?.line ?? 0) <= (other.place?.line ?? 0) ? [always, other] : [other, always];
  const [name] = textOf(second).split(':');
  const problem = `${name} gets ${printAction(second.action)} here, but ${printAction(first.action)} by`;
  throw new PolicyError('conflict', `${problem} ${describeRule(first, second.place)}: leave one out`, second.place);
}

function commentOf({ comment }: Entry): string | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they have no place in a comment
  const text = comment?.replace(/[\u0000-\u0020\u007f-\u00a0\u2028\u2029\ufeff]+/g, ' ').trim();
  return text ? ` ${text}` : undefined;
}

/** The errno's name, where all ABIs call the number so. */
export function nameErrno(action: Action, arches: readonly ArchName[]): Action {
  if (action.kind !== 'errno' || typeof action.errno !== 'number') return action;
  const { errno } = action;
  const name = errnoName(arches[0] as ArchName, errno);
  const shared = name !== undefined && arches.every((arch) => errnoNumber(arch, name) === errno);
  return shared ? { kind: 'errno', errno: name } : action;
}
