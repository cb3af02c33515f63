import type { ArchName } from '../facts/arches.ts';
import { type Danger, dangersOf } from '../facts/dangers.ts';
import { type Selector, selectorsOf } from '../facts/selectors.ts';
import { conditionOfBox } from '../policy/box-condition.ts';
import { type Box, generalise, isIn, type Sample } from '../policy/generalise.ts';
import { subjectOf } from '../policy/merge.ts';
import type { Action, Rule } from '../policy/model.ts';
import { valuesText } from '../policy/selector-names.ts';
import type { Evidence } from './evidence.ts';
import { lineValues } from './line-values.ts';

/** The rules that the evidence of one call makes, with what was seen beside each. */

const ALLOW: Action = { kind: 'allow' };
/** Kinds of arguments that a comment shows, the most frequent ones. */
const SHOWN = 4;

/** Whether rules may have conditions, and for which ABI. */
export interface RuleScope {
  /** The policy has several ABIs: rules with conditions are for their own one alone. */
  readonly isMixed: boolean;
  /** A rule for an ABI alone cannot stand here: `start:` and `service:`, and `syscalls:` beside a `service:`, which is to be narrower. */
  readonly isForAll: boolean;
  /** A set that permits the call with any arguments, as `@glibc`. */
  readonly permittedBy: string | undefined;
}

/** @param lines - of one call, of any executables and ABIs */
export function rulesOfCall(name: string, lines: readonly Evidence[], scope: RuleScope): readonly Rule[] {
  const call = { kind: 'name', name } as const;
  if (lines.every((line) => lineValues(line) === undefined)) return [{ action: ALLOW, call }];
  const arches = [...new Set(lines.map(({ arch }) => arch))].sort();
  if (scope.permittedBy !== undefined) {
    const never = arches.flatMap((arch) => neverSeenOf(arch, name, lines));
    const list = never.length === 0 ? '' : `; never seen: ${[...new Set(never)].join(', ')}`;
    const comment = ` no condition: ${scope.permittedBy} permits it with any arguments${list}`;
    return [{ action: ALLOW, call, comment }];
  }
  if (scope.isMixed && scope.isForAll) return [{ action: ALLOW, call, comment: ' no condition: several ABIs' }];
  return arches.flatMap((arch) => {
    const rules = rulesOfArch(
      arch,
      name,
      lines.filter((line) => line.arch === arch),
    );
    return scope.isMixed ? rules.map((rule) => ({ ...rule, only: arch })) : rules;
  });
}

/** Dangers of an ABI that no line shows; none where some arguments are not known. */
function neverSeenOf(arch: ArchName, name: string, lines: readonly Evidence[]): readonly string[] {
  const selectors = selectorsOf(arch, name);
  const seen = lines.filter((line) => line.arch === arch).map((line) => lineValues(line, selectors));
  const isSeen = (danger: Danger): boolean =>
    seen.some((values) => values === undefined || isIn(danger, selectors, values));
  return dangersOf(arch, name).flatMap((danger) => (isSeen(danger) ? [] : [danger.name]));
}

function rulesOfArch(arch: ArchName, name: string, lines: readonly Evidence[]): readonly Rule[] {
  const call = { kind: 'name', name } as const;
  const selectors = selectorsOf(arch, name);
  const unknown = lines.filter((line) => lineValues(line) === undefined);
  if (unknown.length > 0) {
    const count = unknown.reduce((sum, line) => sum + line.count, 0);
    const reason = `arguments of ${count === 1 ? 'a call' : `${count} calls`} are not known (recorded without --args, or of too many kinds)`;
    return [{ action: ALLOW, call, ...(selectors.length > 0 && { comment: ` no condition: ${reason}` }) }];
  }
  const { boxes, neverSeen } = generalise(selectors, dangersOf(arch, name), samplesOf(selectors, lines));
  const never = neverSeen.map((danger) => danger.name).join(', ');
  const rules = boxes.map((box): Rule => {
    const condition = conditionOfBox(arch, selectors, box);
    const comment = ` ${evidenceText(arch, selectors, box)}`;
    return { action: ALLOW, call, ...(condition && { condition }), comment };
  });
  // In the order in which merges keep them.
  const [first, ...others] = rules.sort((a, b) => (subjectOf(a) < subjectOf(b) ? -1 : 1)) as [Rule, ...Rule[]];
  return [never === '' ? first : { ...first, commentBefore: ` ${name}, never seen: ${never}` }, ...others];
}

/** What all executables together called. */
function samplesOf(selectors: readonly Selector[], lines: readonly Evidence[]): readonly Sample[] {
  const samples = new Map<string, Sample>();
  for (const line of lines) {
    const values = lineValues(line, selectors) ?? [];
    const known = samples.get(values.join())?.count ?? 0;
    samples.set(values.join(), { values, count: known + line.count });
  }
  return [...samples.values()];
}

/** `seen 412 times: AF_INET SOCK_STREAM 0 ×400, AF_UNIX SOCK_DGRAM 0 ×12`. */
function evidenceText(arch: ArchName, selectors: readonly Selector[], { samples }: Box): string {
  const sorted = [...samples].sort((a, b) => b.count - a.count);
  const total = sorted.reduce((sum, { count }) => sum + count, 0);
  const seen = total === 1 ? 'seen once' : `seen ${total} times`;
  const texts = sorted.map(({ values, count }) => `${valuesText(arch, selectors, values)} ×${count}`);
  if (texts.length === 1) return seen;
  const more = texts.length > SHOWN ? `, and ${texts.length - SHOWN} kinds more` : '';
  return `${seen}: ${texts.slice(0, SHOWN).join(', ')}${more}`;
}
