import type { Finding } from './finding.ts';

/** What was found and what to do, in one sentence. */
export function describeFinding({ message, todo, arches }: Finding): string {
  const where = arches.length > 1 ? ` (${arches.join(', ')})` : '';
  return `${message}${where}; to mend: ${todo}`;
}

/** One line: `warning open-abi: x32 is open; to mend: ...`, with the place in the policy where there is one. */
export function findingLine(finding: Finding): string {
  const { severity, id, place } = finding;
  const at = place ? ` ${place.file ?? 'policy'}:${place.line}:${place.column}` : '';
  return `${severity} ${id}${at}: ${describeFinding(finding)}`;
}
