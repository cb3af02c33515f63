import type { CallCost, Cost } from '../../audit/cost.ts';
import type { Representative } from '../../audit/representatives.ts';
import type { Timing } from '../../kernel/measure.ts';

/** What `cost` prints. */

export type Measured =
  | { readonly calls: readonly (Representative & { readonly ns: Timing })[] }
  | { readonly cannot: string };

/** The program, the calls, a summary. */
export function costText(cost: Cost): string {
  const hasEvidence = cost.calls.some(({ count }) => count !== undefined);
  const lines = hasEvidence ? seenLines(cost.calls) : permittedLines(cost.calls);
  return [`${cost.instructions} instructions`, ...lines, ...restLines(cost.calls), summaryLine(cost, hasEvidence)].join(
    '\n',
  );
}

/** One line a call, those that cost most in all first. */
function seenLines(calls: readonly CallCost[]): readonly string[] {
  const seen = calls.filter(({ count }) => count);
  const total = (call: CallCost): number => (call.bitmap ? 0 : call.most) * (call.count ?? 0);
  const sorted = seen.toSorted((a, b) => total(b) - total(a) || (b.count ?? 0) - (a.count ?? 0));
  return sorted.map((call) => `  ${String(call.count).padStart(9)} × ${figures(call).padEnd(18)} ${nameOf(call)}`);
}

/** One line for all permitted calls with the same figures. */
function permittedLines(calls: readonly CallCost[]): readonly string[] {
  const groups = new Map<string, string[]>();
  const permitted = calls.filter(({ permitted }) => permitted).toSorted((a, b) => a.most - b.most || a.least - b.least);
  for (const call of permitted) {
    const key = figures(call);
    const group = groups.get(key);
    if (group) group.push(nameOf(call));
    else groups.set(key, [nameOf(call)]);
  }
  return [...groups].map(([key, names]) => `  ${key.padEnd(18)} ${names.join(' ')}`);
}

function restLines(calls: readonly CallCost[]): readonly string[] {
  const refused = calls.filter(({ permitted }) => !permitted);
  if (refused.length === 0) return [];
  const least = Math.min(...refused.map((call) => call.least));
  return [
    `  ${range(least, Math.max(...refused.map(({ most }) => most))).padEnd(18)} the ${refused.length} calls that are refused`,
  ];
}

function summaryLine({ mean, meanWithBitmap, worst, weight, weightByBitmap }: Cost, hasEvidence: boolean): string {
  const over = hasEvidence ? `${weight} calls of the evidence` : `${weight} permitted calls alike`;
  const spared = `the bitmap (Linux 5.11) serves ${weightByBitmap} of them: ${meanWithBitmap.toFixed(1)}`;
  return `at most ${mean.toFixed(1)} instructions a call in the mean (${over}); ${spared}; the worst call takes ${worst}`;
}

function figures({ least, most, bitmap }: CallCost): string {
  return `${range(least, most)}${bitmap ? ', bitmap: 0' : ''}`;
}

function range(least: number, most: number): string {
  return least === most ? String(least) : `${least} to ${most}`;
}

function nameOf({ arch, call }: CallCost): string {
  return arch === 'x86_64' ? call : `${arch}:${call}`;
}

/** Nanoseconds with and without the filter. */
export function measuredText(measured: Measured): string {
  if ('cannot' in measured) return `cannot measure: ${measured.cannot}`;
  const lines = measured.calls.map(({ kind, call, instructions, ns }) => {
    const sign = ns.difference < 0 ? '' : '+';
    const times = `${sign}${ns.difference.toFixed(1)} ns (${ns.without.toFixed(1)} without the filter)`;
    return `  ${times.padEnd(36)} ${call}, ${kind}, ${instructions} instructions`;
  });
  return ['measured here, medians:', ...lines].join('\n');
}
