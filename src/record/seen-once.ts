import { dangersOf } from '../facts/dangers.ts';
import { selectorsOf } from '../facts/selectors.ts';
import { generalise, permits, type Sample } from '../policy/generalise.ts';
import type { Policy, Rule } from '../policy/model.ts';
import { Coverage } from './coverage.ts';
import type { Evidence } from './evidence.ts';
import { lineText } from './line-text.ts';
import { lineValues } from './line-values.ts';

/**
 * Calls that one run alone showed, and that the policy permits for that reason only, sorted. The most runs of one executable stand for a call's runs: rather too few
 * than too many. Of calls with conditions: arguments that those of other runs would not permit.
 */
export function seenOnce(policy: Policy, evidence: readonly Evidence[]): readonly string[] {
  const ofSets = new Coverage(ofSetsAlone(policy));
  const lines = ofSets.outside(evidence);
  const unknown = new Set(lines.filter((line) => lineValues(line) === undefined).map(callOf));
  const kept = lines.filter((line) => lineValues(line) === undefined || !unknown.has(callOf(line)));
  const once = [...byName(kept)].filter(([, each]) => most(each) === 1);
  return once
    .filter(([, [line]]) => line !== undefined && !isPermittedBy(line, kept))
    .map(([name]) => name)
    .sort();
}

/** The policy without the rules that stand for single calls. */
export function ofSetsAlone({ syscalls, service, ...head }: Policy): Policy {
  const isSet = ({ call }: Rule): boolean => call.kind === 'set';
  return { ...head, start: [], syscalls: syscalls.filter(isSet), ...(service && { service: service.filter(isSet) }) };
}

const callOf = ({ phase, arch, nr }: Evidence): string => `${phase} ${arch} ${nr}`;
const most = (lines: readonly Evidence[]): number => Math.max(...lines.map(({ runs }) => runs));

function byName(lines: readonly Evidence[]): ReadonlyMap<string, readonly Evidence[]> {
  const names = new Map<string, Evidence[]>();
  for (const line of lines) {
    const name = `${lineText(line)}${line.arch === 'x86_64' ? '' : ` (${line.arch})`}`;
    const known = names.get(name);
    if (known === undefined) names.set(name, [line]);
    else known.push(line);
  }
  return names;
}

/** Whether what else was seen of the call makes a rule that permits the line. */
function isPermittedBy(line: Evidence, lines: readonly Evidence[]): boolean {
  const { arch, syscall = '' } = line;
  const selectors = selectorsOf(arch, syscall);
  const values = lineValues(line, selectors);
  if (values === undefined) return false;
  const others = lines
    .filter((each) => callOf(each) === callOf(line))
    .map((each): Sample => ({ values: lineValues(each, selectors) ?? [], count: 1 }))
    .filter((sample) => sample.values.join() !== values.join());
  const { boxes } = generalise(selectors, dangersOf(arch, syscall), others);
  return boxes.some((box) => permits(box, selectors, values));
}
