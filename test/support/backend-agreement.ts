import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ArchName } from '../../src/facts/arches.ts';
import { syscallName } from '../../src/facts/syscalls.ts';
import { BY_CHANCE, COUNTED, DIFFERENCES, RECORDERS, type Recorder, type Sight, see } from './victims.ts';

/** A program of the cases, its ABI, and what the name of a test says of it. */
export interface Build {
  readonly file: string;
  readonly arch: ArchName;
  readonly label: string;
  readonly folder: string;
}

type Sights = { readonly [R in Recorder]: Sight };

const nameOf = (kind: string): string => {
  const [, , arch, nr] = kind.split(' ');
  return syscallName(arch as ArchName, Number(nr)) ?? String(nr);
};
const sorted = (names: Iterable<string>): readonly string[] =>
  [...new Set(names)].filter((name) => !BY_CHANCE.includes(name)).sort();

/** Names of what a recorder did not see and another one did. */
function missing(recorder: Recorder, sights: Sights, arch: ArchName): readonly string[] {
  if (recorder === 'strace') {
    const all = RECORDERS.flatMap((other) => [...sights[other].numbers]);
    const unseen = all.filter((nr) => !sights.strace.numbers.has(nr));
    return sorted(unseen.map((nr) => syscallName(arch, nr) ?? String(nr)));
  }
  const all = RECORDERS.flatMap((other) => [...sights[other].kinds.keys()]);
  return sorted(all.filter((kind) => !sights[recorder].kinds.has(kind)).map(nameOf));
}

/** Strace has no other calls than ours. */
function onlyOfStrace(sights: Sights, arch: ArchName): readonly string[] {
  const ours = new Set(RECORDERS.filter((name) => name !== 'strace').flatMap((name) => [...sights[name].numbers]));
  const others = [...sights.strace.numbers].filter((nr) => !ours.has(nr));
  return sorted(others.map((nr) => syscallName(arch, nr) ?? String(nr)));
}

/** Kinds whose counts differ. */
function uneven(sights: Sights): readonly string[] {
  const { notify, ptrace, ebpf } = sights;
  return [...notify.kinds].flatMap(([kind, count]) => {
    const others = [ptrace, ebpf].map(({ kinds }) => kinds.get(kind) ?? count);
    return others.every((other) => other === count) ? [] : [`${kind}: ${[count, ...others].join(' ')}`];
  });
}

/** A test that every recorder sees the same of a case, but for what is explained. */
export function testAgreement({ file, arch, label, folder }: Build, name: string, skip: false | string): void {
  const difference = DIFFERENCES[name];
  const suffix = difference ? `, but for: ${difference.reason}` : '';
  test(`notify, ptrace, ebpf and strace see the same: ${name}${label}${suffix}`, { skip }, async () => {
    const seen: { [R in Recorder]?: Sight } = {};
    for (const recorder of RECORDERS) seen[recorder] = await see(recorder, [file, name], folder);
    const sights = seen as Sights;
    assert.ok(sights.notify.kinds.size > 5);
    for (const recorder of RECORDERS)
      assert.deepEqual(
        missing(recorder, sights, arch),
        sorted(difference?.missing[recorder] ?? []),
        `${recorder} misses`,
      );
    assert.deepEqual(onlyOfStrace(sights, arch), []);
    if (COUNTED.has(name)) assert.deepEqual(uneven(sights), []);
  });
}
