import { distance } from 'fastest-levenshtein';

/** Up to `count` names closest to `wrong`, best first; none that differ in more than half of their letters. */
export function nearestNames(wrong: string, names: Iterable<string>, count = 3): string[] {
  const limit = Math.max(1, Math.floor(wrong.length / 2));
  const scored: { name: string; score: number }[] = [];
  for (const name of names) {
    if (Math.abs(name.length - wrong.length) > limit) continue;
    const score = distance(wrong, name);
    if (score <= limit) scored.push({ name, score });
  }
  scored.sort((a, b) => a.score - b.score || (a.name < b.name ? -1 : 1));
  return scored.slice(0, count).map((entry) => entry.name);
}

/** `: did you mean "a" or "b"?`, or nothing where no name is near. */
export function didYouMean(wrong: string, names: Iterable<string>): string {
  const near = nearestNames(wrong, names);
  if (near.length === 0) return '';
  return `: did you mean ${near.map((name) => JSON.stringify(name)).join(' or ')}?`;
}
