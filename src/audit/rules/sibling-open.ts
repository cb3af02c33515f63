import { ARCHES } from '../../facts/arches.ts';
import { FAMILIES, type Family, WIDE_ENDINGS } from '../../facts/siblings.ts';
import type { Abi } from '../abi.ts';
import type { Found, LintRule } from '../finding.ts';
import { denies } from '../outcomes.ts';
import { eachAbi, listed, type Stance } from '../stance.ts';

/** Calls that do what a refused or narrowed one does. */
export const siblingOpen: LintRule = {
  id: 'sibling-open',
  severity: 'warning',
  why: 'another call does the same, so that the one that is refused or narrowed stops nobody',
  todo: 'treat all calls of the family alike; where a sibling has its flags in memory, answer it with ENOSYS',
  source: 'man pages of section 2, line by line in src/facts/siblings.ts',
  judge: (subject) =>
    eachAbi(subject, (abi, stance) =>
      [...FAMILIES, ...wideFamilies(abi)].flatMap((family) => judge(family, abi, stance)),
    ),
};

function judge({ effect, calls, part = [], also = [] }: Family, { arch }: Abi, stance: Stance): readonly Found[] {
  const forbidden = [...calls, ...part].filter((name) => stance.isForbidden(name));
  const narrowed = calls.filter((name) => stance.isNarrowed(name));
  const whole = forbidden.filter((name) => calls.includes(name));
  const full = [...calls, ...also].filter((name) => stance.isOpen(name));
  const open = whole.length > 0 ? [...full, ...part.filter((name) => stance.isOpen(name))] : full;
  const limited = [...forbidden, ...narrowed];
  if (limited.length === 0 || open.length === 0) return [];
  const how = forbidden.length > 0 ? 'refused' : 'narrowed by arguments';
  const message = `${listed(limited)}: ${how}, but one can still ${effect} by ${listed(open)}`;
  return [{ message, arch, place: stance.place(limited[0] as string, denies) ?? stance.place(open[0] as string) }];
}

/** The pairs of a 32-bit ABI that differ by their ending only. */
function wideFamilies({ arch, names }: Abi): readonly Family[] {
  if (ARCHES[arch].bits === 64 || arch === 'x32') return [];
  const known = new Set(names);
  const inTable = new Set(FAMILIES.flatMap(({ calls, also = [] }) => [...calls, ...also]));
  return names.flatMap((name) =>
    WIDE_ENDINGS.map((ending) => `${name}${ending}`)
      .filter((wide) => known.has(wide) && !(inTable.has(name) && inTable.has(wide)))
      .map((wide) => ({ effect: 'do the same', calls: [name, wide], source: 'syscalls(2)' })),
  );
}
