import type { Program } from '../bpf/instruction.ts';
import { isPermitted } from '../decision/actions.ts';
import { Diagrams, type Node } from '../decision/diagrams.ts';
import { diagramOfPolicy } from '../decision/from-policy.ts';
import { intervalsOf } from '../decision/intervals.ts';
import { diagramOfStack } from '../decision/stack.ts';
import { RANK_ARCH } from '../decision/words.ts';
import { ARCH_NAMES, ARCHES, type ArchName } from '../facts/arches.ts';
import type { Policy } from '../policy/model.ts';
import { resolvePolicy } from '../policy/resolve.ts';
import type { ResolvedPolicy } from '../policy/resolved.ts';
import { Abi } from './abi.ts';
import { denies, Outcomes } from './outcomes.ts';

/** A filter as it is judged: its meaning, and where a policy is known, whose rules it comes from. */
export interface Subject {
  readonly space: Diagrams;
  readonly outcomes: Outcomes;
  readonly root: Node;
  readonly policy: Policy | undefined;
  readonly resolved: ResolvedPolicy | undefined;
  /** The ABIs that it was written for. */
  readonly abis: readonly Abi[];
  /** ABIs by which a process on the same kernel can make calls too, and that it was not written for. */
  readonly others: readonly { readonly of: Abi; readonly abi: Abi }[];
}

/** What a filter is made of. */
export interface SubjectSource {
  /** The programs that are in force together, newest first; none isPermitted every call. */
  readonly stack: readonly Program[];
  /** What the program was made of; for a sealed binary it only tells places. */
  readonly policy?: Policy;
  /** For policies and programs that name no ABI. */
  readonly arch: ArchName;
  /** The policy is the filter: its meaning need not be read from the program. */
  readonly isPolicy: boolean;
}

/**
 * Finds the meaning of a filter. A policy is judged without its `start:`, as sealed binaries have it.
 *
 * @throws {PolicyError | CannotTellError}
 */
export function subjectOf({ stack, policy, arch, isPolicy }: SubjectSource): Subject {
  const space = new Diagrams();
  const outcomes = new Outcomes(space);
  const resolved = policy && resolvePolicy(policy, { arches: [arch] });
  const root = resolved && isPolicy ? diagramOfPolicy(space, resolved) : diagramOfStack(space, stack);
  const view = (name: ArchName): Abi => new Abi(space, outcomes, root, name);
  const names = resolved ? resolved.arches.map((each) => each.arch) : testedArches(space, outcomes, root, arch);
  const abis = names.map(view);
  const others = new Map<ArchName, Subject['others'][number]>();
  for (const of of abis)
    for (const name of COMPANIONS[of.arch] ?? [])
      if (!names.includes(name) && !others.has(name)) others.set(name, { of, abi: view(name) });
  return { space, outcomes, root, policy, resolved, abis, others: [...others.values()] };
}

/**
 * ABIs whose calls a process of an ABI can make as well, or a program that it executes: int 0x80, a far jump, the bit of x32.
 * Sources: arch/x86/entry/entry_64_compat.S, syscall(2), arch/arm64/kernel/entry.S (el0t_32_sync).
 */
const COMPANIONS: Readonly<Partial<Record<ArchName, readonly ArchName[]>>> = {
  x86_64: ['x32', 'i386'],
  i386: ['x86_64', 'x32'],
  x32: ['x86_64', 'i386'],
  aarch64: ['arm'],
  arm: ['aarch64'],
};

/** The ABIs that a program tells apart by their token and neither isPermitted nor refuses as a whole. */
function testedArches(space: Diagrams, outcomes: Outcomes, root: Node, otherwise: ArchName): readonly ArchName[] {
  const intervals = intervalsOf(space, RANK_ARCH, root) ?? [];
  const tested = new Set(
    intervals
      .filter(({ from, node }, index) => intervals[index + 1]?.from === from + 1 && !space.isLeaf(node))
      .map(({ from }) => from),
  );
  const isMixed = ({ intervals }: Abi): boolean =>
    intervals.some(({ node }) => outcomes.some(node, isPermitted)) &&
    intervals.some(({ node }) => outcomes.some(node, denies));
  const found = ARCH_NAMES.filter(
    (name) => tested.has(ARCHES[name].token) && (name !== 'x32' || isMixed(new Abi(space, outcomes, root, 'x32'))),
  );
  return found.length > 0 ? found : [otherwise];
}
