import { type Finding, type LintRule, SEVERITIES } from './finding.ts';
import { RULES } from './registry.ts';
import type { Subject } from './subject.ts';

/** Judges a filter by every rule: gravest findings first, those of one severity in the order of the rules. The same finding for several ABIs is one. */
export function lint(subject: Subject, rules: readonly LintRule[] = RULES): readonly Finding[] {
  const findings = rules.flatMap((rule) => merged(rule, subject));
  return SEVERITIES.flatMap((severity) => findings.filter((finding) => finding.severity === severity));
}

function merged({ id, severity, why, todo, judge }: LintRule, subject: Subject): readonly Finding[] {
  const byText = new Map<string, Finding>();
  for (const found of judge(subject)) {
    const key = JSON.stringify([found.message, found.place]);
    const arches = [...(byText.get(key)?.arches ?? []), ...(found.arch ? [found.arch] : [])];
    const { place } = found;
    byText.set(key, {
      id,
      severity: found.severity ?? severity,
      message: found.message,
      why,
      todo,
      ...(place && { place }),
      arches: [...new Set(arches)],
    });
  }
  return [...byText.values()];
}
