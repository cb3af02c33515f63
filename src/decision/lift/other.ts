import { ARCHES, type ArchName } from '../../facts/arches.ts';
import { SECCOMP_RET_KILL_PROCESS } from '../../facts/seccomp.ts';
import { actionOf } from '../../policy/action.ts';
import type { Rule } from '../../policy/model.ts';
import { isPermitted } from '../actions.ts';
import type { Diagrams, Node } from '../diagrams.ts';
import { swapWords } from '../swap-words.ts';
import { type NumberRange, numberRanges } from './abis.ts';
import { rulesOfCall } from './rules.ts';

/** What calls of unlisted ABIs get. */
export interface LiftedOther {
  readonly badArch: number;
  /** Rules by number, for `only: other`. */
  readonly rules: readonly Rule[];
  /** Numbers of which the rules cannot say what they get. */
  readonly problems: readonly { readonly from: number; readonly to: number; readonly problem: string }[];
}

/** As many conditional numbers are listed one by one. */
const MOST_NUMBERS = 5000;

/**
 * `bad_arch` and the rules of `only: other`, of which there are none where all calls get the same.
 *
 * @param first - the first ABI of the policy, whose word order and names of constants are used
 */
export function liftOther(space: Diagrams, elsewhere: Node, first: ArchName): LiftedOther {
  const ranges = numberRanges(space, elsewhere);
  const otherwise = commonest(space, ranges) ?? space.leaf(SECCOMP_RET_KILL_PROCESS);
  const rules: Rule[] = [];
  const problems: LiftedOther['problems'][number][] = [];
  for (const range of ranges) {
    if (range.node === otherwise) continue;
    if (space.isLeaf(range.node)) rules.push(ruleOf(space, range, first));
    else if (range.to - range.from >= MOST_NUMBERS) problems.push({ ...range, problem: problemOf(range) });
    else {
      const words = ARCHES[first].littleEndian ? range.node : swapWords(space, range.node);
      for (let nr = range.from; nr <= range.to; nr += 1) {
        const made = rulesOfCall(space, words, first, nr, undefined, otherwise);
        if (made.problem !== undefined) problems.push({ from: nr, to: nr, problem: problemOf({ from: nr, to: nr }) });
        rules.push(...made.rules);
      }
    }
  }
  return { badArch: space.action(otherwise), rules: rules.map((rule) => ({ ...rule, only: 'other' })), problems };
}

function ruleOf(space: Diagrams, { from, to, node }: NumberRange, first: ArchName): Rule {
  const action = actionOf(space.action(node), first);
  return { action, call: from === to ? { kind: 'number', number: from } : { kind: 'range', from, to } };
}

function problemOf({ from, to }: { readonly from: number; readonly to: number }): string {
  const numbers = from === to ? `syscall(${from}) gets` : `syscall(${from}) to syscall(${to}) get`;
  return `what ${numbers} of other architectures, at which the filter does not look`;
}

/** The leaf of most ranges; what is permitted only where the last numbers are, lest an allow-list become a deny-list. */
function commonest(space: Diagrams, ranges: readonly NumberRange[]): Node | undefined {
  const last = ranges.at(-1)?.node;
  const counts = new Map<Node, number>();
  for (const { node } of ranges)
    if (space.isLeaf(node) && (node === last || !isPermitted(space.action(node))))
      counts.set(node, (counts.get(node) ?? 0) + 1);
  return [...counts].sort(([, left], [, right]) => right - left)[0]?.[0];
}
