import type { Completeness, Standing } from '../record/completeness.ts';

/** What a recording says of its own gaps. */

const percent = (part: number): string => `${(100 * part).toFixed(part < 0.1 ? 1 : 0)} %`;

/** Lines for people, without an end of line. */
export function completenessLines(completeness: Completeness): readonly string[] {
  const { runs, newRuns, once, estimate, bound, siblings, vdso } = completeness;
  const lines: string[] = [];
  if (runs === 1)
    lines.push('  not known from one run: errors, signals, other inputs. Run it again: --runs 20; others: --merge.');
  else {
    const promise = bound < 1 ? `at most ${percent(bound)} (95 % sure)` : 'no bound yet';
    lines.push(
      `  a further run like these ${runs} needs more: estimated ${percent(estimate)}, ${promise}; ${newRuns} brought something new`,
    );
    if (once.length > 0) lines.push(`  seen in one run only: ${once.join(' ')}`);
  }
  const refused = refusedOf(siblings);
  if (refused.length > 0)
    lines.push(`  refused siblings of what was seen, which another libc may take: ${refused.join(' ')}`);
  const hidden = refusedOf(vdso);
  if (hidden.length > 0) lines.push(`  refused, and unseen as long as the vDSO answers: ${hidden.join(' ')}`);
  return lines;
}

const refusedOf = (calls: readonly Standing[]): readonly string[] =>
  [...new Set(calls.filter(({ fate }) => fate === 'refused').map(({ call }) => call))].sort();
